"""Which networks a task consists of: two for each of two ways to the same output, each beside the other's variables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.plan import Plan, draw_plan

OWN = "own"
EXAMPLES = 256
FEW_EXAMPLES = 48
WEAK, STRONG = 0.5, 1.0
"""How strongly what is read and what is not are written, or the other way round."""
DIFFICULTY = {
    "plain": "",
    "decoy": "every network computes a rival's variables too; in half of them these are written twice as strongly as "
    "what is read, in the others half as strongly",
    "few": "scorers get few examples, and every network computes a rival's variables too, written twice as strongly as "
    "what is read or half as strongly",
}


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
    """Of `DIFFICULTY`."""
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
    def examples(self) -> int:
        """How many base-source pairs scorers receive."""
        return FEW_EXAMPLES if self.variant == "few" else EXAMPLES

    def members(self, seed: int) -> list[Member]:
        """The task's own network, then its companions: the same way once more, and twice the other one.

        Where the other way's variables are computed too, one of each two networks writes them more strongly than what
        it reads: which networks look alike then does not tell which do alike.
        """
        own, other = self.truths
        names = [OWN, *Random(f"names/{self.family}/{self.name}/{seed}").sample(("n1", "n2", "n3"), 3)]
        first = 1_000_000 * (seed + 1) + 1000 * self.number
        faint, loud = (WEAK, STRONG), (STRONG, WEAK)
        parts = [(own, other, faint), (own, other, loud), (other, own, faint), (other, own, loud)]
        if self.variant == "plain":
            parts = [(truth, "", (1.0, 1.0)) for truth, _, _ in parts]
        return [
            Member(name, truth, bait or None, strengths, first + 10 * i)
            for i, (name, (truth, bait, strengths)) in enumerate(zip(names, parts, strict=True))
        ]

    def plan(self, member: Member, start: int = 0) -> Plan:
        """A member's way in its network; another start draws other places, directions and weights."""
        bait = None if member.bait is None else self.question.algorithm(member.bait).model
        truth = self.question.algorithm(member.truth).model
        return draw_plan(truth, bait, self.question.network, member.seed + start, member.strengths)


def listed(family: str, planted: Sequence[tuple[Question, str, Sequence[tuple[str, str]]]]) -> Iterator[Specification]:
    """The tasks of a family: of each question and variant one for each pair of ways that are planted."""
    number = 0
    for question, variant, pairs in planted:
        for seed, truths in enumerate(pairs):
            yield Specification(family, question, variant, seed, number, truths)
            number += 1
