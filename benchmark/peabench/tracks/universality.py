"""Track `universality`: do two networks of the same behaviour share a mechanism?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Level
from peabench.networks import Network
from peabench.networks.gauge import random_gauge
from peabench.tasks import Task
from peabench.tracks.numbers import one_number_each
from peabench.tracks.pairs import generator_from
from peabench.tracks.ranking import Target, area_under_roc
from peabench.tracks.track import Reference, Track

COPIES = 2
"""Networks that are in a question twice, in different gauges; each of them drawn among all."""


@dataclass(frozen=True)
class UniversalityQuestion:
    """Score each pair of networks by how alike they do it. What they do is the same on the whole domain."""

    networks: tuple[Network, ...]
    """In an order, and each in a gauge, drawn at random."""
    pairs: Int[Tensor, "pair 2"]
    """Numbers of the two networks of each pair: all pairs, the smaller number first."""
    domain: ProductDomain
    inputs: Int[Tensor, "row column"]
    """As the domain draws them."""
    draw: int
    """The number of the draw, of no use to a scorer."""
    generator: torch.Generator


@dataclass(frozen=True)
class UniversalityAnswer:
    """A similarity for each pair, in the question's order; higher means that they rather share a mechanism."""

    similarities: Float[Tensor, " pair"]


class Oracle(Reference):
    """1 for the pairs that share a mechanism, 0 for the others."""

    name = "oracle"
    track = "universality"
    role = "oracle"
    reference = "The tasks' certified mechanisms."

    def answer(self, question: UniversalityQuestion, task: Task, others: Sequence[Task]) -> UniversalityAnswer:
        """The truth."""
        return UniversalityAnswer(alike(task, question, "algorithm").float())


class UniversalityTrack(Track[UniversalityQuestion, UniversalityAnswer]):
    """2 · AUROC - 1 of the pairs that share a mechanism against those that do not; equal similarities count one half.

    Two networks share a mechanism if the same hypotheses are certified to hold of both at the level of algorithms.
    Where none holds of either, as of two memorisers, it is not known, and the pair is left out; a network and its copy
    share theirs all the same.

    Beside it: `auroc_algorithm`, and `auroc_implementation` where hypotheses are claimed at that level too and pairs
    differ in them: with the networks taken for alike only if those are the same as well.
    """

    name = "universality"
    version = 1
    headline = "2 · AUROC - 1 over pairs of networks of the same behaviour"
    question_type = UniversalityQuestion
    answer_type = UniversalityAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(),)
    nulls = ("random-similarity",)

    def questions(self, task: Task, generator_seed: int) -> list[UniversalityQuestion]:
        """One question about all pairs of the task's network, its companions and copies of some of them."""
        generator = generator_from("universality", str(generator_seed))
        members = [task, *task.companions]
        order = order_of(task, generator_seed)
        gauges = generator_from(task.record.model_dump_json(), "gauges", str(generator_seed))
        question = UniversalityQuestion(
            networks=tuple(random_gauge(members[member].network(), gauges)[0] for member in order),
            pairs=torch.combinations(torch.arange(len(order))),
            domain=task.record.domain,
            inputs=task.record.domain.sample(task.record.examples, generator),
            draw=generator_seed,
            generator=generator,
        )
        if len(alike(task, question, "algorithm")[decided(task, question)].unique()) < 2:
            raise PeabenchError(
                f"The networks of {task.record.id} are all alike or all different; give it companions of both kinds, "
                "or take `universality` out of its tracks."
            )
        return [question]

    def grade(
        self, task: Task, index: int, question: UniversalityQuestion, answer: UniversalityAnswer
    ) -> dict[str, float]:
        """See the class."""
        found = one_number_each(answer, UniversalityAnswer, "similarities", len(question.pairs), "pairs")
        known = decided(task, question)

        def auroc(same: Bool[Tensor, " pair"]) -> float:
            return area_under_roc(found, Target(same, known))

        by_algorithm = auroc(alike(task, question, "algorithm"))
        metrics = {"score": 2 * by_algorithm - 1, "auroc_algorithm": by_algorithm}
        if all(held for held in held_by(task, "implementation")):
            same = alike(task, question, "implementation")
            metrics |= {"auroc_implementation": auroc(same)} if len(same[known].unique()) == 2 else {}
        return metrics


def order_of(task: Task, draw: int) -> list[int]:
    """Which network each of a question's is: 0 for the task's own, then its companions in the record's order.

    Nobody can draw it again who has not the task's whole record.
    """
    members = 1 + len(task.record.companions)
    generator = generator_from(task.record.model_dump_json(), "networks", str(draw))
    copied = torch.randperm(members, generator=generator)[:COPIES]
    everyone = torch.cat([torch.arange(members), copied])
    order: list[int] = everyone[torch.randperm(len(everyone), generator=generator)].tolist()
    return order


def held_by(task: Task, level: Level) -> list[frozenset[str]]:
    """The hypotheses that hold of the task's own network and of each companion at a level.

    Raises:
        PeabenchError: one of them claims nothing.
    """
    found = []
    for member in (task, *task.companions):
        claim = member.mechanism.algorithm
        if claim is None:
            raise PeabenchError(
                f"The mechanism in {member.folder} has no hypotheses; take `universality` out of the task's tracks."
            )
        found.append(claim.held(level))
    return found


def alike(task: Task, question: UniversalityQuestion, level: Level) -> Bool[Tensor, " pair"]:
    """Whether the networks of each pair are certified to do it alike, down to a level of abstraction."""
    levels: tuple[Level, ...] = ("algorithm",) if level == "algorithm" else ("algorithm", "implementation")
    held = list(zip(*(held_by(task, each) for each in levels), strict=True))
    members = order_of(task, question.draw)
    pairs = [(members[one], members[other]) for one, other in question.pairs.tolist()]
    return torch.tensor([one == other or (any(held[one]) and held[one] == held[other]) for one, other in pairs])


def decided(task: Task, question: UniversalityQuestion) -> Bool[Tensor, " pair"]:
    """Whether it is known of each pair: not of two networks of which no hypothesis holds, such as two memorisers."""
    unknown = [member for member, held in enumerate(held_by(task, "algorithm")) if not held]
    members = order_of(task, question.draw)
    pairs = [(members[one], members[other]) for one, other in question.pairs.tolist()]
    return torch.tensor([one == other or not {one, other} <= set(unknown) for one, other in pairs])


TRACK = UniversalityTrack()
