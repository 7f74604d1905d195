"""Description length: what a user without the truth can compare dictionaries by."""

import torch
from jaxtyping import Float
from torch import Tensor

PRECISION = 0.1
"""Of what is coded, in units of the root mean square of a coordinate of the rows about their mean."""


def description_length(
    rows: Float[Tensor, "row d"],
    codes: Float[Tensor, "*candidate row latent"],
    reconstructed: Float[Tensor, "*candidate row d"],
    learnt_from: int,
) -> Float[Tensor, "*candidate"]:
    """Bits per row that say the rows to a set precision: which latents fire, how strongly, and what they leave.

    Whether a latent fires costs the entropy of its rate; how strongly, and each coordinate of the residual, half the
    logarithm of 1 + variance / precision^2, as a Gaussian channel of that noise does; of the residual, the variance is
    each row's own. Each number of the directions that fire costs half the logarithm of the number of rows learnt from,
    shared among these (Rissanen 1978; for sparse autoencoders Ayonrinde, Pearce and Sharkey 2024, arXiv:2410.11179).
    """
    precision = PRECISION**2 * float(rows.var(0, correction=0).mean())
    fires = (codes != 0).to(codes.dtype)
    rate = fires.mean(-2)
    support = -(torch.xlogy(rate, rate) + torch.xlogy(1 - rate, 1 - rate)) / torch.log(torch.tensor(2.0))
    mean = codes.sum(-2) / fires.sum(-2).clamp(min=1)
    variance = ((codes - mean[..., None, :]).square() * fires).sum(-2) / fires.sum(-2).clamp(min=1)
    strength = rate * bits(variance / precision)
    residual = rows.shape[1] * bits((rows - reconstructed).square().mean(-1) / precision).mean(-1)
    model = (rate > 0).sum(-1) * rows.shape[1] * 0.5 * torch.log2(torch.tensor(float(learnt_from))) / learnt_from
    return support.sum(-1) + strength.sum(-1) + residual + model


def bits(signal_to_noise: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Bits per number that a Gaussian signal costs at a signal-to-noise ratio."""
    return 0.5 * torch.log2(1 + signal_to_noise)
