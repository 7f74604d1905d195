"""Orthogonal Procrustes: how close one network's activations can be rotated to another's."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench_baselines.universality.layer_similarity import LayerSimilarity


class Procrustes(LayerSimilarity):
    """Cosine after the best rotation, at every depth."""

    name = "procrustes"
    reference = "https://arxiv.org/abs/2110.14739"  # Williams et al. 2021; Ding et al. 2021, arXiv:2108.01661
    gauge_invariant = True

    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """See `procrustes_similarity`."""
        return procrustes_similarity(activations, pairs)


def procrustes_similarity(
    activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
) -> Float[Tensor, " pair"]:
    """Cosine of the activations after the best rotation, 0 to 1: 1 - d^2/2 of the Procrustes distance d between them.

    Activations are centred and scaled to norm 1 (Williams et al. 2021; Ding et al. 2021). The same under
    rotations, isotropic scaling and translation of either. Activations that never vary are like none.
    """
    centred = activations - activations.mean(1, keepdim=True)
    shapes = centred / centred.flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None]
    cosines: Tensor = torch.linalg.svdvals(shapes[pairs[:, 0]].mT @ shapes[pairs[:, 1]]).sum(1)
    return cosines
