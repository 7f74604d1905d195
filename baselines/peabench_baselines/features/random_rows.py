"""Random rows: examples as directions, which is what a dictionary knows before it is trained."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.fitted_directions import Fit, FittedDirections


class RandomRows(FittedDirections):
    """Activations of random training inputs, less the mean, as many as the budget allows; rectified projections."""

    name = "random-rows"
    reference = "https://arxiv.org/abs/2501.17727"  # Heap et al. 2025: autoencoders of random networks as a baseline

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Drawn without replacement."""
        centre = rows.mean(0)
        directions = rows[torch.randperm(len(rows), generator=generator)[:latents]] - centre
        directions = directions / directions.norm(dim=1, keepdim=True).clamp(min=1e-9)
        return Fit(directions, lambda points: ((points - centre) @ directions.T).relu())
