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
    Where none holds of either, as of two memorisers, it is not known, and the pair is left out. A network and its own
    copy are no such pair. Where two networks meet several times, as one of them has a copy, all their pairs together
    weigh what a single one does.

    Beside it: `auroc_algorithm`; `auroc_implementation` where hypotheses are claimed at that level too and pairs differ
    in them, with networks taken for alike only if those are the same as well; and `auroc_copies`, of the pairs of a
    network and its copy against those that do not share a mechanism.
    """

    name = "universality"
    version = 2
    headline = "2 · AUROC - 1 over pairs of different networks of the same behaviour"
    question_type = UniversalityQuestion
    answer_type = UniversalityAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(),)
    nulls = ("random-similarity", "logit-similarity")

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
        known = (meetings(task, question) > 0) & decided(task, question)
        if len(alike(task, question, "algorithm")[known].unique()) < 2:
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
        known, met = decided(task, question), meetings(task, question)
        copied, weights = met == 0, 1 / met.clamp(min=1)

        def auroc(same: Bool[Tensor, " pair"], among: Bool[Tensor, " pair"]) -> float:
            return area_under_roc(found, Target(same, among), weights)

        by_algorithm, different = alike(task, question, "algorithm"), known & ~copied
        same_algorithm = auroc(by_algorithm, different)
        metrics = {
            "score": 2 * same_algorithm - 1,
            "auroc_algorithm": same_algorithm,
            "auroc_copies": auroc(copied, copied | (different & ~by_algorithm)),
        }
        if all(held for held in held_by(task, "implementation")):
            same = alike(task, question, "implementation")
            several = len(same[different].unique()) == 2
            metrics |= {"auroc_implementation": auroc(same, different)} if several else {}
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


def members_of(task: Task, question: UniversalityQuestion) -> Int[Tensor, "pair 2"]:
    """The two networks of each pair, numbered like the task's own and its companions, the smaller number first."""
    found: Tensor = torch.tensor(order_of(task, question.draw))[question.pairs].sort(1).values
    return found


def meetings(task: Task, question: UniversalityQuestion) -> Int[Tensor, " pair"]:
    """In how many pairs of the question the two networks of each pair meet; 0 for a network and its own copy."""
    members = members_of(task, question)
    _, which, times = members.unique(dim=0, return_inverse=True, return_counts=True)
    return torch.where(members[:, 0] == members[:, 1], 0, times[which])


def alike(task: Task, question: UniversalityQuestion, level: Level) -> Bool[Tensor, " pair"]:
    """Whether the networks of each pair are certified to do it alike, down to a level of abstraction."""
    levels: tuple[Level, ...] = ("algorithm",) if level == "algorithm" else ("algorithm", "implementation")
    held = list(zip(*(held_by(task, each) for each in levels), strict=True))
    pairs = members_of(task, question).tolist()
    return torch.tensor([one == other or (any(held[one]) and held[one] == held[other]) for one, other in pairs])


def decided(task: Task, question: UniversalityQuestion) -> Bool[Tensor, " pair"]:
    """Whether it is known of each pair: not of two networks of which no hypothesis holds, such as two memorisers."""
    unknown = [member for member, held in enumerate(held_by(task, "algorithm")) if not held]
    pairs = members_of(task, question).tolist()
    return torch.tensor([one == other or not {one, other} <= set(unknown) for one, other in pairs])


TRACK = UniversalityTrack()
