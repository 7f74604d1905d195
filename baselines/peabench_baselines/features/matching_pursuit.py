"""Matching pursuit: the encoder takes one direction after another off what is left."""

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.sparse_autoencoder import SparseAutoencoder


class MatchingPursuit(SparseAutoencoder):
    """Encoder and decoder share their directions; codes are not negative; the number of rounds is searched."""

    name = "matching-pursuit"
    reference = "https://arxiv.org/abs/2506.03093"  # Costa et al. 2025; Mallat and Zhang 1993
    variant = Variant("matching-pursuit", (1, 16))
