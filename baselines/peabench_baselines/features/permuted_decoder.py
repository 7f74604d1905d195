"""Permuted decoder: a control with the firing and the directions of a dictionary, but not together."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.batch_top_k_sae import BatchTopKSAE
from peabench_baselines.features.fitted_directions import Fit


class PermutedDecoder(BatchTopKSAE):
    """The BatchTopK autoencoder with each decoder row given to another latent."""

    name = "permuted-decoder"
    role = "null"
    reference = "None: a control. What it earns is not owed to directions that go with their firing."

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """A random cycle through all latents, so that none keeps its own."""
        fit = super().fit(rows, latents, generator)
        order = torch.randperm(len(fit.directions), generator=generator)
        permuted = torch.empty_like(fit.directions)
        permuted[order] = fit.directions[order.roll(1)]
        return Fit(permuted, fit.encode)
