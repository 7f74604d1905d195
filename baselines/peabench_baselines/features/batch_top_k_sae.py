"""BatchTopK autoencoder: the strongest latents of a batch fire, k per row in the mean."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class BatchTopKSAE(SparseAutoencoder):
    """Outside training a latent fires above the threshold at which k per row do on the training rows."""

    name = "batch-top-k-sae"
    reference = "https://arxiv.org/abs/2412.06410"  # Bussmann, Leask and Nanda 2024
    variant = Variant("batch-top-k", (1, 16))
