"""Random directions: what chance earns."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.features import random_directions
from peabench_baselines.features.fitted_directions import Fit, FittedDirections, projection


class RandomDirections(FittedDirections):
    """As many uniformly random directions as the budget allows, each firing as the activations lie along it."""

    name = "random-directions"
    reference = "None: uniformly random answers."
    role = "null"

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Drawn from the generator; only the centre is learnt."""
        return projection(random_directions(latents, rows.shape[1], generator), rows.mean(0))
