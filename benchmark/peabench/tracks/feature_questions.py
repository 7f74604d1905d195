"""What is asked about features: the activations at a site, and no more. How the inputs behind them are drawn."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions import run_with_cache, site_values
from peabench.interventions.sites import locate
from peabench.mechanism import SiteAddress
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.pairs import generator_from
from peabench.true_features import contributions, exceptions, features_at, usual

POINTS = 4096
"""Evaluation inputs."""
FEWEST_FIRINGS = 8
"""Evaluation inputs on which a feature must do something else than it does most often, or it is not graded."""
ROUNDS = 16
"""Of 4,096 draws each, in search of rare features' firings."""
LATENTS_PER_DIMENSION = 4
ROWS_AT_A_TIME = 4096


@dataclass(frozen=True)
class FeatureQuestion:
    """Find what the activations at a site are made of. Neither the network nor its inputs are given.

    With weights at hand features of an embedding could be read off, with inputs at hand regressed on them; see
    docs/decisions/features-are-asked-of-activations.md.
    """

    site: str
    latents: int
    """Most latents of an answer: at least four for each dimension of the site."""
    draw: int
    """The number of the draw, of no use to a scorer."""
    training: Float[Tensor, "row d_model"]
    """On inputs as the domain draws them: all the data that a method may learn from."""
    evaluation: Float[Tensor, "point d_model"]
    """Where an answer says how strongly each latent fires. Rare features fire on eight points at least."""
    before_training: Float[Tensor, "row d_before"]
    """At the same position a block earlier, for transcoders; without columns where nothing lies before the site."""
    before_evaluation: Float[Tensor, "point d_before"]
    generator: torch.Generator


@dataclass(frozen=True)
class FeatureInputs:
    """The inputs behind a question, which it does not hold."""

    training: Int[Tensor, "row column"]
    evaluation: Int[Tensor, "point column"]


def make_question(task: Task, site: str, draw: int, network: Network) -> FeatureQuestion:
    """The question about a site of a task's own network or of its twin."""
    inputs = feature_inputs(task, site, draw)
    training, before_training = activations_at(network, inputs.training, site)
    evaluation, before_evaluation = activations_at(network, inputs.evaluation, site)
    return FeatureQuestion(
        site=site,
        latents=budget(training.shape[1], len(features_at(task.mechanism, site))),
        draw=draw,
        training=training,
        evaluation=evaluation,
        before_training=before_training,
        before_evaluation=before_evaluation,
        generator=generator_from("features", str(draw), site),
    )


def budget(d_model: int, features: int) -> int:
    """Most latents of an answer: four for each dimension, doubled until there are two for each feature.

    >>> budget(16, 64), budget(64, 20)
    (128, 256)
    """
    latents = LATENTS_PER_DIMENSION * d_model
    while latents < 2 * features:
        latents *= 2
    return latents


def feature_inputs(task: Task, site: str, draw: int) -> FeatureInputs:
    """The inputs of a question: nobody can draw them again who does not have the task's whole record.

    Evaluation: 4,096 inputs as the domain draws them, of which some make room for others on which rare features fire.
    Each feature, decoys too, the rarest first, does what it does rarely (fires, as a rule) on eight of them at least,
    if 65,536 draws have so many.
    """
    record = task.record
    generator = generator_from(record.model_dump_json(), site, str(draw))
    training = record.domain.sample(record.examples, generator)
    features = features_at(task.mechanism, site) + features_at(task.mechanism, site, decoys=True)
    drawn, rare = [], []
    often: Tensor | None = None
    for _ in range(ROUNDS):
        drawn.append(record.domain.sample(POINTS, generator))
        fired = contributions(features, task.mechanism, drawn[-1]).activations
        often = usual(fired) if often is None else often
        rare.append(exceptions(fired, often))
        if bool((torch.stack([part.sum(0) for part in rare]).sum(0) >= FEWEST_FIRINGS).all()):
            break
    inputs, there = torch.cat(drawn), torch.cat(rare)
    taken = torch.zeros(len(inputs), dtype=torch.bool)
    for feature in there.sum(0).argsort().tolist():
        rows = there[:, feature].nonzero()[:, 0]
        missing = FEWEST_FIRINGS - int(taken[rows].sum())
        taken[rows[~taken[rows]][: max(0, missing)]] = True
    chosen = torch.cat([taken.nonzero()[:, 0], (~taken).nonzero()[:, 0]])[:POINTS]
    return FeatureInputs(training, inputs[chosen[torch.randperm(POINTS, generator=generator)]])


def activations_at(
    network: Network, inputs: Int[Tensor, "row column"], site: str
) -> tuple[Float[Tensor, "row d_model"], Float[Tensor, "row d_before"]]:
    """What a network holds on each input at a site of one position, and at that position a block earlier.

    Raises:
        PeabenchError: the network has no such site, or it is of every position.
    """
    if SiteAddress.parse(site).position == "*":
        raise PeabenchError(f"expected a site at one position, got {site!r}; name the position")
    earlier = site_before(network, site)
    here, before = [], []
    for some in inputs.split(ROWS_AT_A_TIME):
        ran = run_with_cache(network, some)
        here.append(site_values(network, ran, site)[:, 0])
        before.append(here[-1][:, :0] if earlier is None else site_values(network, ran, earlier)[:, 0])
    return torch.cat(here), torch.cat(before)


def site_before(network: Network, site: str) -> str | None:
    """The residual stream at the same position, a block before a site of it or in front of a node; None at the start.

    Raises:
        PeabenchError: the network has no such site.
    """
    locate(network, site)
    address = SiteAddress.parse(site)
    if isinstance(address.place, int):
        return f"resid.{address.place - 1}@{address.position}" if address.place else None
    return None if address.place.block is None else f"resid.{address.place.block}@{address.position}"
