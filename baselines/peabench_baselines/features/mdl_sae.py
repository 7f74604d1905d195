"""MDL autoencoder: width and sparsity are those that say the activations in the fewest bits."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.dictionary_search import Criterion, shortness
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class MDLSAE(SparseAutoencoder):
    """A JumpReLU autoencoder chosen by the description length of codes, residual and directions on held-out rows."""

    name = "mdl-sae"
    reference = "https://arxiv.org/abs/2410.11179"  # Ayonrinde, Pearce and Sharkey 2024
    variant = Variant("jump-relu", (0.01, 0.1))

    def criterion(self) -> Criterion:
        """Description length in place of agreement."""
        return shortness
