"""From what a method learnt to an answer: unit directions, and no latents that do nothing."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureAnswer

NO_CHANGE = 1e-6
"""Of the largest latent's spread, in root mean squares of what latents add, that is rounding."""


def live_latents(
    question: FeatureQuestion,
    directions: Float[Tensor, "latent d_model"],
    activations: Float[Tensor, "point latent"],
) -> FeatureAnswer:
    """An answer of those latents that add different amounts on different evaluation points.

    Lengths of directions go into the activations. Where there are more latents than the question allows, those that add
    most stay; where none does anything, the first one does.
    """
    lengths = directions.norm(dim=1)
    activations = activations * lengths
    spread = activations.std(0, correction=0)
    alive = spread > NO_CHANGE * spread.max()
    order = torch.where(alive, spread, -1.0).argsort(descending=True, stable=True)
    kept = order[: max(1, min(int(alive.sum()), question.latents))].sort().values
    units = directions / lengths.clamp(min=torch.finfo(directions.dtype).tiny)[:, None]
    return FeatureAnswer(units[kept].float().contiguous(), activations[:, kept].float().contiguous())
