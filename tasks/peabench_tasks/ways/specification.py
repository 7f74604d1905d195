"""What families of functions written in many ways share: which networks a task has, and what is asked about them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import ClassVar, Self

from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig, TransformerConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.specification import OWN, TaskSpecification
from peabench_tasks.ways.placement import place
from peabench_tasks.ways.terms import Term

DIFFICULTY = {
    "plain": "",
    "crossed": "every network computes the variables of two ways and reads those of one; which are strong is crossed "
    "with which are read, so that strength says nothing",
    "attending": "every network computes the variables of two ways and reads those of one, each at one position; which "
    "are strong is crossed with which are read, so that strength says nothing",
}
"""What makes each variant hard."""


@dataclass(frozen=True)
class Member:
    """One of a task's networks."""

    name: str
    """`OWN`, or that of a companion's folder, which tells nothing."""
    truth: int | None
    """Number of the way that is planted; None: trained on the outputs alone."""
    beside: int | None
    """Number of the way whose variables are computed too, and not read."""
    strong: int | None
    """Number of the one of both whose variables are strong."""
    seed: int
    """Of places, directions and weights."""


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    family: ClassVar[str]
    networks: ClassVar[Mapping[str, ResidualMLPConfig | TransformerConfig]]
    """Shape of all networks of a task, by its size."""
    variants: ClassVar[dict[str, tuple[str, int]]]
    """The size of each variant's networks, and how many tasks it has."""

    @classmethod
    def listed(cls) -> Iterator[Self]:
        """All tasks of the family."""
        for variant, (size, count) in cls.variants.items():
            for seed in range(count):
                yield cls(variant, size, seed)

    @property
    @abstractmethod
    def ways(self) -> tuple[Term, ...]:
        """The ways to compute the function, which the questions ask about."""

    @property
    @abstractmethod
    def truths(self) -> tuple[int, ...]:
        """Numbers of the ways that are planted, the task's own first: two in crossed tasks."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Of the task, in a sentence."""

    @property
    @override
    def number(self) -> int:
        return list(self.listed()).index(self)

    @property
    def network(self) -> ResidualMLPConfig | TransformerConfig:
        """Shape of all of the task's networks."""
        return self.networks[self.size]

    @property
    def residual_mlp(self) -> ResidualMLPConfig:
        """The same.

        Raises:
            ValueError: they are of another kind.
        """
        if not isinstance(self.network, ResidualMLPConfig):
            raise ValueError(f"expected residual MLPs in {self.name}, got networks of kind {self.network.kind}")
        return self.network

    @property
    def n_inputs(self) -> int:
        """Input columns."""
        network = self.network
        return network.n_inputs if isinstance(network, ResidualMLPConfig) else network.n_positions

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The input that each letter is; the others are distractors."""
        letters = sorted(set().union(*(way.letters() for way in self.ways)))
        drawn = Random(f"inputs/{self.family}/{self.name}").sample(range(self.n_inputs), len(letters))
        return {letter: f"x{column}" for letter, column in zip(letters, drawn, strict=True)}

    def members(self, seed: int) -> list[Member]:
        """The task's networks, its own first; companions have names in an order drawn at random.

        A plain task has two networks of its own way, one of each of two others, and a memoriser. Others have two
        networks of each of two ways.
        """
        own, *others = self.truths
        parts: list[tuple[int | None, int | None, int | None]]
        parts = [(truth, None, None) for truth in (own, own, *others, None)]
        if self.variant != "plain":
            pair = {own: others[0], others[0]: own}
            parts = [(truth, pair[truth], strong) for truth, strong in self.profiles(seed)]
        first = 1_000_000 * (seed + 1) + 100 * self.number
        names = [f"n{i}" for i in range(1, len(parts))]
        Random(f"names/{self.family}/{self.name}/{seed}").shuffle(names)
        return [Member(name, *part, first + i) for i, (name, part) in enumerate(zip([OWN, *names], parts, strict=True))]

    def profiles(self, seed: int) -> list[tuple[int, int]]:
        """Which way each network reads, and whose variables are strong in it, the task's own first.

        One of the two ways, drawn at random, has both networks of one profile; the other has one of each. So one of the
        two pairs that share a way is alike in strength, and so are two of the four that do not. What the tasks' own
        networks read is strong in every second task.
        """
        own, other = self.truths
        rng = Random(f"profiles/{self.family}/{self.name}/{seed}")
        read_is_strong = (self.seed + Random(f"profiles/{self.family}").randrange(2)) % 2 == 0
        strong, weak = (own, other) if read_is_strong else (other, own)
        if rng.random() < 0.5:
            return [(own, strong), (own, strong), (other, own), (other, other)]
        twice = rng.choice((own, other))
        return [(own, strong), (own, weak), (other, twice), (other, twice)]

    def plan(self, member: Member) -> Plan:
        """A planted member's way in its network.

        Raises:
            ValueError: it is not planted, or not in a residual MLP.
        """
        if member.truth is None:
            raise ValueError(f"{member.name} of {self.name} is not planted")
        beside, strong = (None if number is None else self.ways[number] for number in (member.beside, member.strong))
        return place(self.ways[member.truth], beside, strong, self.inputs, self.residual_mlp, member.seed)
