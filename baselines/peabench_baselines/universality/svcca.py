"""SVCCA: the mean canonical correlation of the leading principal components."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench_baselines.universality.canonical_correlations import whitened
from peabench_baselines.universality.layer_similarity import LayerSimilarity

VARIANCE = 0.99
"""Share that the components of either network explain."""


class SVCCA(LayerSimilarity):
    """Mean canonical correlation of the components that explain 99% of the variance, at every depth."""

    name = "svcca"
    reference = "https://arxiv.org/abs/1706.05806"  # Raghu et al. 2017
    gauge_invariant = True

    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """See `svcca`."""
        return svcca(activations, pairs)


def svcca(activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Mean correlation, 0 to 1, over as many canonical directions as the smaller one has (Raghu et al. 2017).

    The same under rotations, isotropic scaling and translation of either. Activations that never vary are like none.
    """
    bases, ranks = whitened(activations, VARIANCE)
    one, other = pairs.T
    correlations: Tensor = torch.linalg.svdvals(bases[one].mT @ bases[other])
    return correlations.sum(1) / torch.minimum(ranks[one], ranks[other]).clamp(min=1)
