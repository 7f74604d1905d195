"""What random directions earn: the zero of the score, and the null on the board."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.tasks import Task
from peabench.tracks.feature_matching import match, pair_quality
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureTruth
from peabench.tracks.pairs import generator_from
from peabench.true_features import Contributions

DRAWS = 16
"""Dictionaries of random directions that chance is the mean of; fewer where they are large."""
PAIRS = 1 << 19
"""Pairs of features and latents in all of them together, unless a single draw has more."""


@dataclass(frozen=True)
class Chance:
    """What random directions earn before calibration."""

    raw: float
    """The mean of the better kind of firing."""
    rectified: bool
    """Which kind that is: rectified projections or plain ones."""


def chance_of(task: Task, question: FeatureQuestion, truth: FeatureTruth, features: Int[Tensor, " latent"]) -> Chance:
    """What so many random directions earn on a question, those with equal numbers in `features` as one feature."""
    told = (question.site, str(question.draw), str(features.tolist()))
    generator = generator_from(task.record.model_dump_json(), *told)
    latents = len(features)
    draws = max(1, min(DRAWS, PAIRS // (latents * truth.all.count)))
    earned = torch.zeros(draws, 2)
    for draw in range(draws):
        drawn = random_directions(latents, question.evaluation.shape[1], generator)
        for rectified in (False, True):
            answer = Contributions(drawn, projections(question, drawn, rectified), features)
            earned[draw, int(rectified)] = match(pair_quality(truth.single, answer)).agreement(truth.free)[2]
    plain, rectified = earned.mean(0).tolist()
    return Chance(max(plain, rectified), rectified > plain)


def projections(
    question: FeatureQuestion, directions: Float[Tensor, "latent d_model"], rectified: bool
) -> Float[Tensor, "point latent"]:
    """How far the evaluation points, less their mean, lie along directions; less than 0 is 0 if rectified."""
    along = (question.evaluation - question.evaluation.mean(0)) @ directions.T
    return along.relu() if rectified else along


def random_directions(count: int, d_model: int, generator: torch.Generator) -> Float[Tensor, "direction d_model"]:
    """Unit vectors drawn uniformly."""
    noise = torch.randn(count, d_model, generator=generator, device=generator.device)
    unit: Tensor = noise / noise.norm(dim=1, keepdim=True)
    return unit
