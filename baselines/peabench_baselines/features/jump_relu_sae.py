"""JumpReLU autoencoder: a latent fires above a threshold of its own, and firing has a price."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class JumpReLUSAE(SparseAutoencoder):
    """Thresholds learn through a window around them, both from the error and from the number of latents that fire."""

    name = "jump-relu-sae"
    reference = "https://arxiv.org/abs/2407.14435"  # Rajamanoharan et al. 2024
    variant = Variant("jump-relu", (0.01, 0.1))
