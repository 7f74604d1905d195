"""Answers about features that see the truth: all of it, when features fire in training, or what chance is of."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tasks import Task
from peabench.tracks.feature_chance import chance_of, projections, random_directions
from peabench.tracks.feature_questions import FeatureQuestion, feature_inputs
from peabench.tracks.feature_truth import FeatureAnswer, feature_truth, is_own_network
from peabench.tracks.track import Reference
from peabench.true_features import Contributions, contributions, features_at

VALIDATION_SHARE = 0.2
MOST_VALIDATED = 1024
RIDGE = 1e-3
PENALTIES = (0.01, 0.03, 0.1, 0.3)
"""Of sparse coding, relative to the mean square of a direction; the best on the validation inputs is taken."""
ITERATIONS = 60


class Oracle(Reference):
    """The certified directions and how strongly the features fire."""

    name = "oracle"
    track = "features"
    role = "oracle"
    reference = "The task's certified mechanism."

    def answer(self, question: FeatureQuestion, task: Task, others: Sequence[Task]) -> FeatureAnswer:
        """The truth; of a twin, when the features fire and along which directions its own activations move then."""
        truth = feature_truth(task, question)
        graded = truth.graded
        directions = graded.directions
        if not is_own_network(task, question, truth.inputs):
            directions = regressed(graded.activations, question.evaluation)
        return FeatureAnswer(directions.float(), graded.activations.float(), graded.features)


class Probe(Reference):
    """What can be read off the activations when it is known when each feature fires in training: the ceiling.

    Directions are regressed on the training activations. Firing is read by ridge regression or by sparse coding along
    these directions (FISTA: Beck & Teboulle 2009), whichever is better for a feature on a fifth of the training inputs.
    """

    name = "probe"
    track = "features"
    role = "ceiling"
    reference = "Alain & Bengio 2016, arXiv:1610.01644"

    def answer(self, question: FeatureQuestion, task: Task, others: Sequence[Task]) -> FeatureAnswer:
        """Regressed directions and read-out firing of the features that are graded."""
        labels = self.labels(question, task)
        directions = regressed(labels.activations, question.training)
        fired = read_out(labels.activations, question)
        return FeatureAnswer(directions.float(), fired, labels.features)

    def labels(self, question: FeatureQuestion, task: Task) -> Contributions:
        """How strongly each graded feature fires on the training inputs."""
        graded = feature_truth(task, question)
        inputs = feature_inputs(task, question.site, question.draw).training
        by_name = {feature.name: feature for feature in features_at(task.mechanism, question.site)}
        asked = [by_name[name] for name in graded.names[: len(graded.graded.features)]]
        return contributions(asked, task.mechanism, inputs)


class RandomDirections(Reference):
    """As many uniformly random directions as the budget allows, each firing as the activations lie along it.

    Whether projections are rectified is told by the truth: that kind which chance is of, so that this is what earns 0.
    """

    name = "random-directions"
    track = "features"
    role = "null"
    reference = "None: uniformly random answers."

    def answer(self, question: FeatureQuestion, task: Task, others: Sequence[Task]) -> FeatureAnswer:
        """Drawn from the question's generator."""
        each = torch.arange(question.latents)
        chance = chance_of(task, question, feature_truth(task, question), each)
        drawn = random_directions(len(each), question.evaluation.shape[1], question.generator)
        return FeatureAnswer(drawn, projections(question, drawn, chance.rectified))


def regressed(
    activations: Float[Tensor, "row member"], stream: Float[Tensor, "row d_model"]
) -> Float[Tensor, "member d_model"]:
    """Directions along which a site's activations move with each feature, by least squares."""
    centred, moved = (side.double() - side.double().mean(0) for side in (activations, stream))
    found: Tensor = torch.linalg.pinv(centred) @ moved
    return found


def read_out(labels: Float[Tensor, "row member"], question: FeatureQuestion) -> Float[Tensor, "point member"]:
    """How strongly each feature seems to fire at the evaluation points."""
    labels, stream, points = labels.float(), question.training, question.evaluation
    held = max(2, min(round(VALIDATION_SHARE * len(labels)), MOST_VALIDATED))
    linear = _ridge(stream[held:], labels[held:])
    codes = [_sparse_coder(stream[held:], labels[held:], penalty) for penalty in PENALTIES]
    told = [_correlation(code(stream[:held]), labels[:held]) for code in codes]
    best = max(range(len(codes)), key=lambda i: float(told[i].mean()))
    by_line = _correlation(linear(stream[:held]), labels[:held])
    return torch.where(told[best] > by_line, codes[best](points), linear(points))


Encoder = Callable[[Tensor], Tensor]
"""From activations at the site to how strongly each feature fires."""


def _ridge(stream: Float[Tensor, "row d_model"], labels: Float[Tensor, "row member"]) -> Encoder:
    mean, centre = stream.mean(0), labels.mean(0)
    moved = (stream - mean).double()
    gram = moved.T @ moved
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weights = torch.linalg.solve(gram, moved.T @ (labels - centre).double()).float()
    return lambda rows: (rows - mean) @ weights + centre


def _sparse_coder(stream: Float[Tensor, "row d_model"], labels: Float[Tensor, "row member"], penalty: float) -> Encoder:
    """The sparsest firing along regressed directions; not negative for features that never are."""
    along = regressed(labels, stream).float()
    base = stream.mean(0) - labels.mean(0) @ along
    signed = (labels < 0).any(0)
    pace = 1 / float(torch.linalg.matrix_norm(along, 2).square().clamp(min=1e-12))
    threshold = pace * penalty * float(along.square().sum(1).mean())

    def encode(rows: Float[Tensor, "row d_model"]) -> Float[Tensor, "row member"]:
        fired = ahead = torch.zeros(len(rows), len(along))
        momentum = 1.0
        for _ in range(ITERATIONS):
            stepped = ahead + pace * (rows - base - ahead @ along) @ along.T
            kept = (stepped.abs() - threshold).relu() * stepped.sign()
            kept = torch.where(signed, kept, kept.relu())
            later = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            ahead = kept + (momentum - 1) / later * (kept - fired)
            fired, momentum = kept, later
        return fired

    return encode


def _correlation(one: Float[Tensor, "row member"], other: Float[Tensor, "row member"]) -> Float[Tensor, " member"]:
    one, other = one - one.mean(0), other - other.mean(0)
    found: Tensor = (one * other).sum(0) / (one.norm(dim=0) * other.norm(dim=0)).clamp(min=1e-9)
    return found
