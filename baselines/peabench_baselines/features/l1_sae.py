"""L1 autoencoder: a rectified encoder that pays for the sum of its activations."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class L1SAE(SparseAutoencoder):
    """ReLU codes, and a price on their L1 norm; decoder rows are unit vectors."""

    name = "l1-sae"
    reference = "https://arxiv.org/abs/2309.08600"  # Cunningham et al. 2023; Bricken et al. 2023
    variant = Variant("relu", (0.05, 0.5))
