"""Gated autoencoder: whether a latent fires and how strongly are decided apart, against the shrinking of L1."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class GatedSAE(SparseAutoencoder):
    """The L1 price is on the gate alone, which must also reconstruct on its own through a frozen decoder."""

    name = "gated-sae"
    reference = "https://arxiv.org/abs/2404.16014"  # Rajamanoharan et al. 2024
    variant = Variant("relu", (0.05, 1.0), gated=True)
