"""What all sparse autoencoders share: the search for one, and the answer it gives."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.dictionary_search import Criterion, Found, agreement, search
from peabench_baselines.features.fitted_directions import Fit, FittedDirections


class SparseAutoencoder(FittedDirections):
    """An autoencoder of the training activations; a search without truth chooses its sparsity, width and learning rate.

    Cost: no passes through the network; the training is of the autoencoder alone (`dictionary_search.search`).
    """

    @property
    @abstractmethod
    def variant(self) -> Variant:
        """Which kind of autoencoder it is."""

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """The best candidate's decoder rows and its encoder."""
        dictionary, scale = self.search(rows, latents, generator).dictionary, size_of(rows)
        return Fit(dictionary.parameters["decoder"][0], lambda points: dictionary.encode(points / scale)[0] * scale)

    def search(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Found:
        """The search alone, with everything that was tried: a user without the truth can look at it."""
        scaled = rows / size_of(rows)
        return search(self.variant, latents, scaled, scaled, self.criterion(), generator)

    def criterion(self) -> Criterion:
        """What settings are chosen by."""
        return agreement


def size_of(rows: Float[Tensor, "row d_model"]) -> float:
    """Root mean squared norm about the mean, by which rows are divided before training."""
    return max(float((rows - rows.mean(0)).square().sum(1).mean().sqrt()), 1e-12)
