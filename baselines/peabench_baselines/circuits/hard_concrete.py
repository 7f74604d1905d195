"""The hard-concrete distribution on [0, 1], with mass on both ends (Louizos et al. 2018, arXiv:1712.01312)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

TEMPERATURE = 2 / 3
LOW, HIGH = -0.1, 1.1
"""The concrete distribution is stretched to this interval and then clamped."""


def draw(log_alpha: Float[Tensor, "*any part"], noise: Float[Tensor, "*any part"]) -> Float[Tensor, "*any part"]:
    """A sample from uniform noise, differentiable in `log_alpha` (equations 10 and 11)."""
    noise = noise.clamp(1e-6, 1 - 1e-6)
    concrete = torch.sigmoid((noise.logit() + log_alpha) / TEMPERATURE)
    return (concrete * (HIGH - LOW) + LOW).clamp(0, 1)


def probability_kept(log_alpha: Float[Tensor, "*any part"]) -> Float[Tensor, "*any part"]:
    """Probability that a sample is not 0 (equation 12)."""
    return torch.sigmoid(log_alpha - TEMPERATURE * math.log(-LOW / HIGH))
