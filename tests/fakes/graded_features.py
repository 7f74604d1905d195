"""Answers about the features of hand-made tasks, and what the track `features` gives for them."""

import torch
from torch import Tensor

from peabench.tasks import Task
from peabench.tracks.feature_chance import projections, random_directions
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureAnswer
from peabench.tracks.features import TRACK

ORACLE, PROBE, NULL = TRACK.references


def asked(task: Task) -> FeatureQuestion:
    (question,) = TRACK.questions(task, 0)
    return question


def truth_of(task: Task) -> FeatureAnswer:
    question = asked(task)
    answer = ORACLE.answer(question, task, [])
    assert isinstance(answer, FeatureAnswer)
    return answer


def graded(task: Task, directions: Tensor, activations: Tensor, subspaces: Tensor | None = None) -> dict[str, float]:
    return TRACK.grade(task, 0, asked(task), FeatureAnswer(directions, activations, subspaces))


def score(task: Task, directions: Tensor, activations: Tensor, subspaces: Tensor | None = None) -> float:
    return graded(task, directions, activations, subspaces)["score"]


def at_random(question: FeatureQuestion, latents: int, seed: int, *, rectified: bool = True) -> FeatureAnswer:
    directions = random_directions(latents, question.training.shape[1], torch.Generator().manual_seed(seed))
    return FeatureAnswer(directions, projections(question, directions, rectified))
