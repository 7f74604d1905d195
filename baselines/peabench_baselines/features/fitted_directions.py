"""What the methods share that learn directions from the activations of the training inputs and nothing else."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.features import FeatureAnswer, FeatureQuestion, activations_at
from peabench_baselines.features.live_latents import live_latents


@dataclass(frozen=True)
class Fit:
    """Directions, and how strongly each fires on activations."""

    directions: Float[Tensor, "latent d_model"]
    encode: Callable[[Float[Tensor, "row d_model"]], Float[Tensor, "row latent"]]


class FittedDirections(Scorer[FeatureQuestion, FeatureAnswer]):
    """Directions learnt from the training inputs' activations; the evaluation inputs are encoded and never learnt from.

    Cost: one forward pass over the training and the evaluation inputs.
    """

    track = "features"

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        """Learn, then encode."""
        rows = activations_at(question.network, question.training, question.site)
        fit = self.fit(rows, question.latents, question.generator)
        points = activations_at(question.network, question.evaluation, question.site)
        return live_latents(question, fit.directions, fit.encode(points))

    @abstractmethod
    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Learn at most so many directions from activations."""


def projection(directions: Float[Tensor, "latent d_model"], centre: Float[Tensor, " d_model"]) -> Fit:
    """Directions each of which fires as strongly as the activations, less a centre, lie along it."""
    return Fit(directions, lambda points: (points - centre) @ directions.T)
