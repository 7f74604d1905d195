"""Neurons as they are: the site's own axes."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.fitted_directions import Fit, FittedDirections, projection


class Neurons(FittedDirections):
    """The coordinates of the activations less their mean, each along its own axis of the site.

    The hidden neurons of a layer that writes there are not among them: the question holds no weights.
    """

    name = "neurons"
    reference = "https://distill.pub/2020/circuits/zoom-in"  # Olah et al. 2020

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Nothing is learnt but the centre."""
        return projection(torch.eye(rows.shape[1]), rows.mean(0))
