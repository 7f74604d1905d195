"""What the methods share that learn directions from training activations and nothing else."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureAnswer
from peabench_baselines.features.live_latents import live_latents


@dataclass(frozen=True)
class Fit:
    """Directions, and how strongly each fires on activations."""

    directions: Float[Tensor, "latent d_model"]
    encode: Callable[[Float[Tensor, "row d_model"]], Float[Tensor, "row latent"]]


class FittedDirections(Scorer[FeatureQuestion, FeatureAnswer]):
    """Directions learnt from the training activations; the evaluation points are encoded and never learnt from.

    Cost: no passes through the network.
    """

    track = "features"

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        """Learn, then encode."""
        fit = self.fit(question.training, question.latents, question.generator)
        return live_latents(question, fit.directions, fit.encode(question.evaluation))

    @abstractmethod
    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Learn at most so many directions from activations."""


def projection(directions: Float[Tensor, "latent d_model"], centre: Float[Tensor, " d_model"]) -> Fit:
    """Directions each of which fires as strongly as the activations, less a centre, lie along it."""
    return Fit(directions, lambda points: (points - centre) @ directions.T)
