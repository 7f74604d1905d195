"""PWCCA: canonical correlations, weighted by how much of the activations they account for."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench_baselines.universality.canonical_correlations import whitened
from peabench_baselines.universality.layer_similarity import LayerSimilarity


class PWCCA(LayerSimilarity):
    """Projection-weighted canonical correlation, at every depth."""

    name = "pwcca"
    reference = "https://arxiv.org/abs/1806.05759"  # Morcos, Raghu and Bengio 2018

    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """See `pwcca`."""
        return pwcca(activations, pairs)


def pwcca(activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Projection-weighted mean correlation, 0 to 1, the mean over both directions (Morcos et al. 2018).

    A canonical variable weighs the sum over features of its absolute inner product with them, so that the weights (not
    the correlations) change when features are rotated.
    """
    centred = activations - activations.mean(1, keepdim=True)
    bases, ranks = whitened(activations)
    one, other = pairs.T
    left, correlations, right = torch.linalg.svd(bases[one].mT @ bases[other], full_matrices=False)
    counted = torch.arange(correlations.shape[1]) < torch.minimum(ranks[one], ranks[other])[:, None]

    def weighted(side: Int[Tensor, " pair"], turn: Float[Tensor, "pair direction k"]) -> Float[Tensor, " pair"]:
        products = (bases[side] @ turn).mT @ centred[side]
        weights = products.abs().sum(2) * counted
        found: Tensor = (weights * correlations).sum(1) / weights.sum(1).clamp(min=1e-30)
        return found

    return torch.stack([weighted(one, left), weighted(other, right.mT)]).mean(0)
