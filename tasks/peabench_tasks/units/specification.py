"""Which networks a task consists of: two for each of two ways to the same output, each beside the other's variables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.specification import OWN
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.plan import Plan, draw_plan

WEAK, STRONG = 0.5, 1.5
"""How strongly the variables of either way are written, wherever every network holds those of both."""
PLAIN = "plain"
"""The variant whose networks compute nothing that they do not read."""
CROSSED = (
    "every network computes the variables of two ways and reads those of one; which are strong is crossed with which "
    "are read, so that strength says nothing"
)


@dataclass(frozen=True)
class Question:
    """What the networks of some tasks compute, and the ways to compute it."""

    size: str
    description: str
    algorithms: tuple[Algorithm, ...]
    network: ResidualMLPConfig
    domain: ProductDomain

    def algorithm(self, name: str) -> Algorithm:
        """A way, by its name."""
        return next(algorithm for algorithm in self.algorithms if algorithm.name == name)


@dataclass(frozen=True)
class Member:
    """One of a task's networks."""

    name: str
    """`OWN`, or that of a companion's folder, which tells nothing."""
    truth: str
    """Name of the way that is planted."""
    bait: str | None
    """Name of the way whose variables are computed and not read."""
    strengths: tuple[float, float]
    """How strongly what is read is written, and what is not."""
    seed: int
    """Of places, directions and weights."""


@dataclass(frozen=True)
class Specification:
    """One task to be made."""

    family: str
    question: Question
    variant: str
    seed: int
    number: int
    """Place in the family's list, which seeds of weights follow from."""
    truths: tuple[str, str]
    """Names of the ways that are planted, the task's own first."""

    @property
    def size(self) -> str:
        """Of the question."""
        return self.question.size

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def difficulty(self) -> str:
        """What makes it hard."""
        return "" if self.variant == PLAIN else CROSSED

    @property
    def own_is_strong(self) -> bool:
        """Whether the own network's variables are written more strongly than those it does not read.

        So it is in one of two tasks that follow each other; a coin says in which.
        """
        return bool(self.number % 2) == heads(f"{self.family}/{self.number // 2}")

    def members(self, seed: int) -> list[Member]:
        """The task's own network, then its companions: the same way once more, and twice the other one.

        Where all networks hold the variables of both ways, those of either are strong in two of the four or in three:
        the networks of one way are alike in this, those of the other are not, and a coin says which way that is. Two
        networks of one way then look alike as often as two of different ones.
        """
        own, other = self.truths
        names = [OWN, *Random(f"names/{self.family}/{self.name}/{seed}").sample(("n1", "n2", "n3"), 3)]
        first = 1_000_000 * (seed + 1) + 1000 * self.number
        return [
            Member(name, truth, None if self.variant == PLAIN else bait, strengths, first + 10 * i)
            for i, (name, truth, bait, strengths) in enumerate(
                zip(names, (own, own, other, other), (other, other, own, own), self.strengths(), strict=True)
            )
        ]

    def strengths(self) -> list[tuple[float, float]]:
        """Of each network in the order of `members`: how strongly what is read is written, and what is not."""
        if self.variant == PLAIN:
            return [(1.0, 1.0)] * 4
        text = f"{self.family}/{self.name}/strengths"
        if heads(f"{text}/own way's alike"):
            strong_own = [self.own_is_strong] * 2 + [True, False]
        else:
            strong_own = [self.own_is_strong, not self.own_is_strong] + [heads(f"{text}/other way's")] * 2
        reads_own = (True, True, False, False)
        return [
            (STRONG, WEAK) if strong == reads else (WEAK, STRONG)
            for strong, reads in zip(strong_own, reads_own, strict=True)
        ]

    def plan(self, member: Member, start: int = 0) -> Plan:
        """A member's way in its network; another start draws other places, directions and weights."""
        bait = None if member.bait is None else self.question.algorithm(member.bait).model
        truth = self.question.algorithm(member.truth).model
        return draw_plan(truth, bait, self.question.network, member.seed + start, member.strengths)


def heads(text: str) -> bool:
    """A coin, the same for the same words."""
    return Random(text).random() < 0.5


def listed(family: str, planted: Sequence[tuple[Question, str, tuple[str, str]]]) -> Iterator[Specification]:
    """The tasks of a family: of each the question, the variant and the ways that are planted, its own first."""
    known = Counter[tuple[str, str]]()
    for number, (question, variant, truths) in enumerate(planted):
        seed = known[variant, question.size]
        known[variant, question.size] += 1
        yield Specification(family, question, variant, seed, number, truths)
