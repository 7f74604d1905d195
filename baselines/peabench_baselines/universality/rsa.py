"""Representational similarity analysis: which inputs two networks hold to be alike."""

import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import normalize

from peabench_baselines.universality.layer_similarity import LayerSimilarity

RESOLUTION = 1e6
"""Distances are equal that differ by less than the largest one divided by this: no rank is decided by rounding."""


class RSA(LayerSimilarity):
    """Rank correlation of the distances between inputs, at every depth."""

    name = "rsa"
    reference = "https://doi.org/10.3389/neuro.06.004.2008"  # Kriegeskorte, Mur and Bandettini 2008
    gauge_invariant = True

    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """See `rsa`."""
        return rsa(activations, pairs)


def rsa(activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Rank correlation of the distances between inputs, -1 to 1, for pairs of networks (Kriegeskorte et al. 2008).

    The same under rotations, isotropic scaling and translation of either. A network that holds all inputs to be alike
    is like none.
    """
    ranks = distance_ranks(activations)
    return (ranks @ ranks.T)[pairs[:, 0], pairs[:, 1]]


def distance_ranks(activations: Float[Tensor, "network row feature"]) -> Float[Tensor, "network distance"]:
    """Ranks of the Euclidean distances between rows, centred, of norm 1: their products are rank correlations.

    Distances are Euclidean, as the correlation between two patterns changes when their space is rotated.
    """
    distances = torch.cdist(activations, activations, compute_mode="donot_use_mm_for_euclid_dist")
    rows = distances.shape[1]
    one, other = torch.triu_indices(rows, rows, 1).unbind()
    upper = distances[:, one, other]
    steps = (upper / upper.amax(1, keepdim=True).clamp(min=1e-30) * RESOLUTION).round()
    ranks = torch.from_numpy(rankdata(steps.cpu().numpy(), axis=1)).to(activations)
    return normalize(ranks - ranks.mean(1, keepdim=True))
