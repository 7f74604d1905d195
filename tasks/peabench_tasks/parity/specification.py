"""What the families of parities share: which networks a task consists of, and what is asked about them."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import ClassVar

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.specifications import OWN
from peabench_tasks.distributive.terms import Term
from peabench_tasks.parity.placement import place
from peabench_tasks.specification import TaskSpecification

EXAMPLES, FEW_EXAMPLES = 1024, 16
BAITED = "all variables of a rival are computed too, and what is read is written at a quarter of their strength"
DIFFICULTY = {
    "beside": "every network computes the variables of two ways and reads those of one; which are strong is crossed "
    "with which are read, so that networks look alike that do not work alike",
    "plain": "",
    "quiet": BAITED,
    "few": f"{BAITED}; scorers get {FEW_EXAMPLES} examples",
}
"""What makes each variant hard."""
PLAIN = (1.0, 1.0)
"""How strongly the variables that are read are written, and those of a rival, where one is computed too."""
QUIET = (0.25, 1.0)
CROSSED = ((0.5, 2.0), (2.0, 0.5))


@dataclass(frozen=True)
class Size:
    """Function and networks of one size."""

    letters: str
    """The inputs that matter; all others are distractors."""
    of_a_kind: int
    """How many ways of each kind a question asks about."""
    network: ResidualMLPConfig
    lessons: int = 400
    """In which each unit learns its gate by itself."""
    steps: int = 60
    """Of planting, behind these."""


@dataclass(frozen=True)
class Member:
    """One of a task's networks."""

    name: str
    """`OWN`, or that of a companion's folder, which tells nothing."""
    truth: int | None
    """Number of the way that is planted; None: trained on the outputs alone."""
    bait: int | None
    """Number of the way whose variables are computed and not read."""
    strengths: tuple[float, float]
    """How strongly the variables that are read are written, and those that are not."""
    seed: int
    """Of places, directions and weights."""


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    family: ClassVar[str]
    sizes: ClassVar[dict[str, Size]]

    @property
    @abstractmethod
    def kinds(self) -> tuple[tuple[Term, ...], ...]:
        """The ways to compute the function, by what they are alike in."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Of the task, in a sentence."""

    @property
    def shape(self) -> Size:
        """Function and networks."""
        return self.sizes[self.size]

    @property
    def examples(self) -> int:
        """How many base-source pairs scorers receive."""
        return FEW_EXAMPLES if self.variant == "few" else EXAMPLES

    @property
    def baited(self) -> bool:
        """Whether the variables of a rival are computed too."""
        return self.variant in ("quiet", "few")

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The input that each letter is."""
        shape = self.shape
        drawn = Random(f"inputs/{self.family}/{self.name}").sample(range(shape.network.n_inputs), len(shape.letters))
        return {letter: f"x{column}" for letter, column in zip(shape.letters, drawn, strict=True)}

    @cached_property
    def ways(self) -> tuple[Term, ...]:
        """What is asked about: equally many of each kind, drawn at random."""
        rng = Random(f"ways/{self.family}/{self.name}")
        return tuple(way for kind in self.kinds for way in rng.sample(kind, self.shape.of_a_kind))

    @property
    def truths(self) -> tuple[int, ...]:
        """Numbers of one way of each kind, the task's own first: every kind has its turn."""
        of_a_kind = self.shape.of_a_kind
        count = len(self.ways) // of_a_kind
        return tuple((self.seed + turn) % count * of_a_kind for turn in range(count))

    def members(self, seed: int) -> list[Member]:
        """The task's networks, its own first.

        In `beside` there are two networks of each of two ways, which compute the variables of both: one has its own
        strong, and one the other's. A fifth was shown the outputs alone. In `quiet` and `few` there is one network,
        which computes the variables of a way of another kind, too.
        """
        own, other, *_ = self.truths
        first = 1_000_000 * (seed + 1) + 100 * self.number
        if self.variant != "beside":
            return [Member(OWN, own, other if self.baited else None, QUIET if self.baited else PLAIN, first)]
        names = ["n1", "n2", "n3", "n4"]
        Random(f"names/{self.family}/{self.name}/{seed}").shuffle(names)
        pairs = [(*pair, strengths) for pair in ((own, other), (other, own)) for strengths in CROSSED]
        members = [
            Member(name, *part, first + i) for i, (name, part) in enumerate(zip([OWN, *names], pairs, strict=False))
        ]
        return [*members, Member(names[-1], None, None, PLAIN, first + len(pairs))]

    def plan(self, member: Member) -> Plan:
        """A planted member's way in its network."""
        if member.truth is None:
            raise ValueError(f"{member.name} of {self.name} is not planted")
        bait = None if member.bait is None else self.ways[member.bait]
        return place(self.ways[member.truth], bait, self.inputs, self.shape.network, member.seed, member.strengths)
