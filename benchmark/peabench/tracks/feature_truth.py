"""What an answer about features is held against."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.mechanism import Feature
from peabench.tasks import Task
from peabench.tracks.feature_questions import FEWEST_FIRINGS, FeatureQuestion, activations_at, feature_inputs
from peabench.true_features import Contributions, contributions, exceptions, features_at

SAME = 1e-3
"""Of the activations' spread: another machine's float32 is no other network."""


@dataclass(frozen=True)
class FeatureAnswer:
    """A dictionary: at evaluation point i the site holds `activations[i, j] * directions[j]`, summed over latents j.

    Directions need not be unit vectors, nor activations positive. Every latent counts, those that never fire too.
    """

    directions: Float[Tensor, "latent d_model"]
    activations: Float[Tensor, "point latent"]
    subspaces: Int[Tensor, " latent"] | None = None
    """Latents with the same number are coordinates of one feature of several dimensions; None: each its own feature."""


@dataclass(frozen=True)
class FeatureTruth:
    """The features at a site on the evaluation points, those that are graded first."""

    all: Contributions
    free: int
    """How many of the last are neither asked for nor held against an answer: decoys, and what fires too rarely."""
    names: tuple[str, ...]
    """Of the members."""
    parents: tuple[tuple[int, int], ...]
    """Parent-child edges among graded features of one dimension, by member."""
    inputs: Int[Tensor, "point column"]

    @property
    def graded(self) -> Contributions:
        """The features that are asked for."""
        return self.all.of(torch.arange(self.all.count - self.free))

    @property
    def single(self) -> Contributions:
        """All in single precision, for what is no answer."""
        return Contributions(self.all.directions.float(), self.all.activations.float(), self.all.features)


def feature_truth(task: Task, question: FeatureQuestion) -> FeatureTruth:
    """The features that an answer is held against.

    Raises:
        PeabenchError: none fires often enough on the evaluation points to be graded.
    """
    mechanism, inputs = task.mechanism, feature_inputs(task, question.site, question.draw).evaluation
    used, decoys = (features_at(mechanism, question.site, decoys=flag) for flag in (False, True))
    everything = contributions([*used, *decoys], mechanism, inputs)
    varies = exceptions(everything.activations).sum(0) >= FEWEST_FIRINGS
    asked = torch.zeros(everything.count, dtype=torch.bool)
    asked[everything.features[: len(used)][varies[: len(used)]]] = True
    if not bool(asked.any()):
        raise PeabenchError(f"No feature at {question.site} of {task.record.id} fires often enough to be graded.")
    graded, free = everything.of(asked.nonzero()[:, 0]), everything.of((~asked).nonzero()[:, 0])
    order = torch.cat([asked[everything.features].nonzero()[:, 0], (~asked[everything.features]).nonzero()[:, 0]])
    listed: list[Feature] = [[*used, *decoys][int(i)] for i in order]
    return FeatureTruth(
        all=graded.beside(free),
        free=free.count,
        names=tuple(feature.name for feature in listed),
        parents=_edges(listed, graded),
        inputs=inputs,
    )


def is_own_network(task: Task, question: FeatureQuestion, inputs: Int[Tensor, "point column"]) -> bool:
    """Whether a question is about the task's own network and not its twin."""
    own = activations_at(task.network(), inputs, question.site)[0]
    return bool((own - question.evaluation).abs().max() <= SAME * own.std())


def _edges(features: list[Feature], graded: Contributions) -> tuple[tuple[int, int], ...]:
    sizes = graded.features.bincount()
    lone = {
        feature.name: i
        for i, feature in enumerate(features[: len(graded.features)])
        if int(sizes[graded.features[i]]) == 1
    }
    return tuple((lone[parent], i) for name, i in lone.items() for parent in features[i].parents if parent in lone)
