"""Matryoshka autoencoder: the first latents must reconstruct on their own, so that children do not swallow parents."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class MatryoshkaSAE(SparseAutoencoder):
    """BatchTopK with a loss that is the mean over nested parts: the first 8 latents, 16, 32, and so on to all."""

    name = "matryoshka-sae"
    reference = "https://arxiv.org/abs/2503.17547"  # Bussmann et al. 2025
    variant = Variant("batch-top-k", (1, 16), nested=8)
