"""Track `features`: what adds up to the activations at a site, and when does each part of it fire?"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.interventions import run_with_cache, site_values
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.feature_matching import match, quality
from peabench.tracks.pairs import generator_from
from peabench.tracks.track import Track, above
from peabench.true_features import Contributions, contributions, exceptions, feature_sites, features_at

POINTS = 4096
"""Evaluation inputs."""
FEWEST_FIRINGS = 8
"""Evaluation inputs on which a feature must do something else than it does most often, or it is not graded."""
DRAWS = 16 * POINTS
"""Inputs drawn in search of rare features' firings."""
LATENTS_PER_DIMENSION = 4
MOST_MEMBERS = 16
"""Latents of one subspace."""
NULL_DRAWS = 4
ROWS_AT_A_TIME = 8192


@dataclass(frozen=True)
class FeatureQuestion:
    """Find what the activations of `network` at `site` are made of."""

    network: Network
    site: str
    latents: int
    """Most latents of an answer: at least four for each dimension of the site."""
    training: Int[Tensor, "row column"]
    """Inputs as the domain draws them: all the data that a method may learn from."""
    evaluation: Int[Tensor, "point column"]
    """Inputs on which an answer says how strongly each latent fires; rare features fire more often than in training."""
    generator: torch.Generator


@dataclass(frozen=True)
class FeatureAnswer:
    """A dictionary: on evaluation input i the site's activation holds `activations[i, j] * directions[j]`, for every j.

    Directions need not be unit vectors, nor activations positive. Every latent counts, those that never fire too.
    """

    directions: Float[Tensor, "latent d_model"]
    activations: Float[Tensor, "point latent"]
    subspaces: Int[Tensor, " latent"] | None = None
    """Latents with the same number here are coordinates of one feature of several dimensions; None: each its own."""


class FeaturesTrack(Track[FeatureQuestion, FeatureAnswer]):
    """Harmonic mean of how well the true features are matched, one to one, by answered ones, and these by them."""

    name = "features"
    version = 1
    headline = "one-to-one matched features, both sides, above random directions"
    question_type = FeatureQuestion
    answer_type = FeatureAnswer
    bounds = (-1.0, 1.0)
    references = ()
    nulls = ("random-directions",)

    def questions(self, task: Task, generator_seed: int) -> list[FeatureQuestion]:
        """One question for each site with features that are used."""
        record, found = task.record, []
        for site in feature_sites(task.mechanism):
            generator = generator_from("features", str(generator_seed), site)
            network = task.network()
            found.append(
                FeatureQuestion(
                    network=network,
                    site=site,
                    latents=budget(network.config.d_model, len(features_at(task.mechanism, site))),
                    training=record.domain.sample(record.examples, generator),
                    evaluation=evaluation_inputs(task, site, generator),
                    generator=generator,
                )
            )
        return found

    def grade(self, task: Task, index: int, question: FeatureQuestion, answer: FeatureAnswer) -> dict[str, float]:
        """See the class."""
        answered = checked(question, answer)
        truth, decoys = graded_truth(task, question)
        matching = match(quality(truth, answered))
        truth_side, answer_side, raw = matching.agreement(decoys)
        chance = chance_of(task, question, truth, decoys, answered.count)
        return {
            "score": max(above(raw, chance), self.bounds[0]),
            "truth_side": truth_side,
            "answer_side": answer_side,
            "chance": chance,
        }

    def twin_question(self, question: FeatureQuestion, task: Task) -> FeatureQuestion | None:
        """The same question about the random-init twin, whose activations nobody trained to hold these directions."""
        twin = task.twin("random_init")
        return None if twin is None else replace(question, network=twin)


def budget(d_model: int, features: int) -> int:
    """Most latents of an answer: four for each dimension, doubled until there are two for each feature.

    >>> budget(16, 64), budget(64, 20)
    (128, 256)
    """
    latents = LATENTS_PER_DIMENSION * d_model
    while latents < 2 * features:
        latents *= 2
    return latents


def evaluation_inputs(task: Task, site: str, generator: torch.Generator) -> Int[Tensor, "point column"]:
    """4,096 inputs as the domain draws them, of which some make room for others on which rare features fire.

    Each feature, the rarest first, does what it does rarely (fires, as a rule) on eight of them at least, if it does so
    often enough in 65,536 draws.
    """
    features = features_at(task.mechanism, site) + features_at(task.mechanism, site, decoys=True)
    drawn = task.record.domain.sample(DRAWS, generator)
    width = task.mechanism.tensor(features[0].direction).shape[0]
    rare = exceptions(contributions(features, task.mechanism, drawn, width).activations)
    taken = torch.zeros(DRAWS, dtype=torch.bool)
    for feature in rare.sum(0).argsort().tolist():
        rows = rare[:, feature].nonzero()[:, 0]
        have = int(taken[rows].sum())
        taken[rows[~taken[rows]][: max(0, FEWEST_FIRINGS - have)]] = True
    needed, others = taken.nonzero()[:, 0], (~taken).nonzero()[:, 0]
    chosen = torch.cat([needed, others])[:POINTS]
    return drawn[chosen[torch.randperm(POINTS, generator=generator)]]


def graded_truth(task: Task, question: FeatureQuestion) -> tuple[Contributions, int]:
    """The features that an answer is graded on, decoys last, and the number of decoys.

    Raises:
        PeabenchError: none fires often enough on the evaluation inputs to be graded.
    """
    mechanism, width = task.mechanism, question.network.config.d_model
    used = contributions(features_at(mechanism, question.site), mechanism, question.evaluation, width)
    decoys = contributions(features_at(mechanism, question.site, decoys=True), mechanism, question.evaluation, width)
    used, decoys = _often_enough(used), _often_enough(decoys)
    if not used.count:
        raise PeabenchError(f"No feature at {question.site} of {task.record.id} fires often enough to be graded.")
    return _joined(used, decoys), decoys.count


def chance_of(task: Task, question: FeatureQuestion, truth: Contributions, decoys: int, latents: int) -> float:
    """What so many random directions earn before calibration: the better of their projections and these rectified."""
    generator = generator_from(task.record.model_dump_json(), question.site, question.evaluation, str(latents))
    stream = activations_at(question.network, question.evaluation, question.site).double()
    earned = []
    for _ in range(NULL_DRAWS):
        drawn = random_directions(latents, stream.shape[1], generator).double()
        along = (stream - stream.mean(0)) @ drawn.T
        for fired in (along, along.relu()):
            answer = Contributions(drawn, fired, torch.arange(latents))
            earned.append(match(quality(truth, answer)).agreement(decoys)[2])
    return float(torch.tensor(earned).view(NULL_DRAWS, 2).mean(0).max())


def random_directions(count: int, d_model: int, generator: torch.Generator) -> Float[Tensor, "direction d_model"]:
    """Unit vectors drawn uniformly."""
    noise = torch.randn(count, d_model, generator=generator, device=generator.device)
    return noise / noise.norm(dim=1, keepdim=True)


def activations_at(network: Network, inputs: Int[Tensor, "row column"], site: str) -> Float[Tensor, "row d_model"]:
    """What a network holds at a site of one position, on each input; no gradient flows through it.

    Raises:
        PeabenchError: the network has no such site, or it is of every position.
    """
    if site.endswith("@*"):
        raise PeabenchError(f"expected a site at one position, got {site!r}; name the position")
    with torch.no_grad():
        parts = [
            site_values(network, run_with_cache(network, some), site)[:, 0] for some in inputs.split(ROWS_AT_A_TIME)
        ]
    return torch.cat(parts)


def checked(question: FeatureQuestion, answer: FeatureAnswer) -> Contributions:
    """What the answered latents add to the activations.

    Raises:
        InvalidAnswer: it is not an answer to this question.
    """
    if not isinstance(answer, FeatureAnswer):
        raise InvalidAnswer(f"Expected a FeatureAnswer, got a {type(answer).__name__}; answer directions and firing.")
    d_model, points = question.network.config.d_model, len(question.evaluation)
    for name, value, shape in (
        ("directions", answer.directions, "[latent, d_model]"),
        ("activations", answer.activations, "[point, latent]"),
    ):
        if not isinstance(value, Tensor) or value.dim() != 2 or not value.is_floating_point():
            raise InvalidAnswer(f"Expected floating-point {name} {shape}, got {_shape(value)}; answer a tensor.")
        if value.layout != torch.strided:
            raise InvalidAnswer(f"Expected dense {name}, got {value.layout}; use .to_dense().")
        if not bool(torch.isfinite(value).all()):
            raise InvalidAnswer(f"Expected finite {name}, got NaN or infinity; answer finite numbers only.")
    latents = answer.directions.shape[0]
    if not 1 <= latents <= question.latents or answer.directions.shape[1] != d_model:
        raise InvalidAnswer(
            f"Expected directions of shape [1 to {question.latents}, {d_model}], got {_shape(answer.directions)}; "
            "answer fewer latents, or one at least."
        )
    if answer.activations.shape != (points, latents):
        raise InvalidAnswer(
            f"Expected activations of shape [{points}, {latents}], one row for each evaluation input and one column "
            f"for each direction, got {_shape(answer.activations)}; reshape them."
        )
    numbers = torch.arange(latents) if answer.subspaces is None else _numbers(answer.subspaces, latents)
    return Contributions(answer.directions.double(), answer.activations.double(), numbers)


def _numbers(subspaces: Int[Tensor, " latent"], latents: int) -> Int[Tensor, " latent"]:
    integral = isinstance(subspaces, Tensor) and not subspaces.is_floating_point() and not subspaces.is_complex()
    if not integral or subspaces.shape != (latents,):
        raise InvalidAnswer(f"Expected integer subspaces [{latents}], got {_shape(subspaces)}; number each latent's.")
    numbers = subspaces.long().unique(return_inverse=True)[1]
    if int(numbers.bincount().max()) > MOST_MEMBERS:
        raise InvalidAnswer(f"Expected at most {MOST_MEMBERS} latents in a subspace, got more; split it.")
    return numbers


def _often_enough(side: Contributions) -> Contributions:
    """The features that do something else than what they do most often on enough inputs."""
    often = exceptions(side.activations).sum(0) >= FEWEST_FIRINGS
    kept = [i for i in range(side.count) if bool(often[side.features == i].any())]
    return side.of(torch.tensor(kept, dtype=torch.long))


def _joined(first: Contributions, second: Contributions) -> Contributions:
    return Contributions(
        torch.cat([first.directions, second.directions]),
        torch.cat([first.activations, second.activations], 1),
        torch.cat([first.features, second.features + first.count]),
    )


def _shape(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


TRACK = FeaturesTrack()
