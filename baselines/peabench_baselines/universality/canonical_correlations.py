"""Canonical correlations between activations: what SVCCA and PWCCA share."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

RANK_TOLERANCE = 1e-6
"""Of the largest singular value: directions below are rounding."""


def whitened(
    activations: Float[Tensor, "network row feature"], variance: float = 1.0
) -> tuple[Float[Tensor, "network row direction"], Int[Tensor, " network"]]:
    """Orthonormal principal components that hold a share of the variance, and how many they are in each network.

    Columns beyond a network's own number are 0.
    """
    centred = activations - activations.mean(1, keepdim=True)
    basis, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    power = sizes.square()
    before = power.cumsum(1) - power
    kept = (before < variance * power.sum(1, keepdim=True)) & (sizes > RANK_TOLERANCE * sizes[:, :1])
    return basis * kept[:, None], kept.sum(1)
