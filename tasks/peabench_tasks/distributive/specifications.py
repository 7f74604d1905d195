"""Which tasks the family has, and which networks each of them consists of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.identities import PLANTED, TABLES
from peabench_tasks.distributive.placement import place

N_INPUTS = 8
EXAMPLES = 256
FEW_EXAMPLES = 48
OWN = "own"

NETWORKS = {
    "xs": ResidualMLPConfig(n_inputs=N_INPUTS, d_model=16, n_blocks=3, n_units=4, d_hidden=8),
    "s": ResidualMLPConfig(n_inputs=N_INPUTS, d_model=20, n_blocks=3, n_units=5, d_hidden=8),
}
VARIANTS = {"plain": ("xs", 1), "few": ("xs", 2), "crossed": ("s", 7)}
"""The size of each variant's networks, and how many tasks it has."""
DIFFICULTY = {
    "plain": "",
    "few": "scorers get few examples",
    "crossed": "every network computes the variables of two rivals and reads those of one; which of them are most of "
    "the variance is crossed with which are read",
}


@dataclass(frozen=True)
class Member:
    """One of a task's networks."""

    name: str
    """`OWN`, or that of a companion's folder, which tells nothing."""
    truth: int | None
    """Number of the formula that is planted; None: trained on the outputs alone."""
    loud: int | None
    """Number of the formula whose variables are written strongly where nobody reads them."""
    seed: int
    """Of places, directions and weights."""


@dataclass(frozen=True)
class Specification:
    """One task to be made."""

    variant: str
    size: str
    seed: int
    number: int
    """Place in the family's list, which tables and seeds follow from."""

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def network(self) -> ResidualMLPConfig:
        """Shape of all of the task's networks."""
        return NETWORKS[self.size]

    @property
    def examples(self) -> int:
        """How many base-source pairs scorers receive."""
        return FEW_EXAMPLES if self.variant == "few" else EXAMPLES

    @property
    def table(self) -> str:
        """Name of the truth table: each has its turn."""
        return list(TABLES)[self.number % len(TABLES)]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The input that each letter of the catalogue is; the others are distractors."""
        letters = sorted(set().union(*(term.letters() for term in TABLES[self.table])))
        drawn = Random(f"inputs/{self.name}").sample(range(N_INPUTS), len(letters))
        return {letter: f"x{column}" for letter, column in zip(letters, drawn, strict=True)}

    @property
    def truths(self) -> tuple[int, ...]:
        """Numbers of the terms that are planted, the task's own first; another task on the table has others."""
        turns = PLANTED[self.table]
        return turns[self.number // len(TABLES) % len(turns)]

    def members(self, seed: int) -> list[Member]:
        """The task's networks, its own first; companions have names in an order drawn at random.

        A crossed task has two networks of each of two formulas: in either two, the variables of one formula are strong
        in one and those of the other in the other. Other tasks have two networks of one formula, one of each other
        formula, and a memoriser.
        """
        own, *others = self.truths
        parts: list[tuple[int | None, int | None]] = [(truth, None) for truth in (own, own, *others, None)]
        if self.variant == "crossed":
            parts = [(own, others[0]), (own, own), (others[0], own), (others[0], others[0])]
        first = 1_000_000 * (seed + 1) + 100 * self.number
        names = [f"n{i}" for i in range(1, len(parts))]
        Random(f"names/{self.name}/{seed}").shuffle(names)
        return [
            Member(name, truth, loud, first + i)
            for i, (name, (truth, loud)) in enumerate(zip([OWN, *names[1:], names[0]], parts, strict=True))
        ]

    def plan(self, member: Member) -> Plan:
        """A planted member's formula in its network."""
        if member.truth is None:
            raise ValueError(f"{member.name} of {self.name} is not planted")
        terms = TABLES[self.table]
        loud = None if member.loud is None else terms[member.loud]
        others = [terms[number] for number in self.truths[:2]] if loud is not None else []
        return place(terms[member.truth], loud, others, self.inputs, self.network, member.seed)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    number = 0
    for variant, (size, count) in VARIANTS.items():
        for seed in range(count):
            yield Specification(variant, size, seed, number)
            number += 1
