"""TopK autoencoder: the k strongest latents of each row fire."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class TopKSAE(SparseAutoencoder):
    """No price; k is searched. There is no auxiliary loss for dead latents: they start as examples, and few die."""

    name = "top-k-sae"
    reference = "https://arxiv.org/abs/2406.04093"  # Gao et al. 2024
    variant = Variant("top-k", (1, 16))
