"""Linear CKA: how alike two networks' inner products between inputs are."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from peabench_baselines.universality.layer_similarity import LayerSimilarity


class LinearCKA(LayerSimilarity):
    """Linear centred kernel alignment, at every depth."""

    name = "linear-cka"
    reference = "https://arxiv.org/abs/1905.00414"  # Kornblith et al. 2019
    gauge_invariant = True

    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """See `linear_cka`."""
        return linear_cka(activations, pairs)


def linear_cka(
    activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
) -> Float[Tensor, " pair"]:
    """Centred kernel alignment with linear kernels, 0 to 1, for pairs of networks (Kornblith et al. 2019).

    The same under rotations, isotropic scaling and translation of either. Activations that never vary are like none.
    """
    centred = activations - activations.mean(1, keepdim=True)
    kernels = normalize((centred @ centred.mT).flatten(1))
    return (kernels @ kernels.T)[pairs[:, 0], pairs[:, 1]]
