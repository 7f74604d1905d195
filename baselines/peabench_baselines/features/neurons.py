"""Neurons as they are: the site's own axes."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.fitted_directions import Fit, FittedDirections, projection


class Neurons(FittedDirections):
    """The coordinates of the activations, each along its own axis.

    The hidden neurons of a layer that writes at the site are the scorer `output-rows`.
    """

    name = "neurons"
    reference = "https://distill.pub/2020/circuits/zoom-in"  # Olah et al. 2020

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Nothing is learnt but the centre."""
        return projection(torch.eye(rows.shape[1]), rows.mean(0))
