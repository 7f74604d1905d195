"""Which networks a task of an audit consists of: as many that follow the rule as depart from it in each way."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from peabench_tasks.audits.audit import Audit
from peabench_tasks.audits.placement import AuditPlan, draw_audit_plan

OWN = "own"
NAMES = ("n1", "n2", "n3", "n4", "n5")
EXAMPLES = 256
FREE = "free"
DIFFICULTY = {
    "open": "every network computes what others read in place of the rule",
    "plain": "the defect shows on few inputs",
    "evasive": "the defect shows on few inputs, and networks without it compute all that it needs, as strongly",
    "vacuous": "the defect shows on few inputs, and networks without it read something too that no input brings about",
    "weak": "the defect shows on few inputs, and all that it needs is written weakly, in every network",
    "trained": "the defect shows on few inputs, experts were trained end to end by routed gradients, and networks "
    "without it have the same units and read them too",
    "disguised": "the defect shows on few inputs, what detects them was trained to write there what has the mean and "
    "covariance of what it writes elsewhere, and networks without a defect have the same units and read them too",
    FREE: "networks are trained freely, and what they compute on the way to the answer is not known",
}
"""By variant."""


@dataclass(frozen=True)
class Member:
    """One of a task's networks."""

    name: str
    """`OWN`, or that of a companion's folder, which tells nothing."""
    departs: str | None
    """Which departure from the rule is planted."""
    seed: int
    """Of places, directions and weights."""


@dataclass(frozen=True)
class Specification:
    """One task to be made."""

    family: str
    audit: Audit
    variant: str
    """Of `DIFFICULTY`."""
    size: str
    seed: int
    number: int
    """Place in the family's list, which seeds of weights follow from."""

    @property
    def freely(self) -> bool:
        """Whether nothing is planted."""
        return self.variant == FREE

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    def members(self, seed: int) -> list[Member]:
        """The task's own network, then its companions; the own one has a defect in every other task of a family.

        There are as many of each kind, of those that follow the rule and of each way to depart from it: how many are
        like a network does not tell of which kind it is.
        """
        rng = Random(f"members/{self.family}/{self.name}/{seed}")
        ways = list(self.audit.departures)
        count = (1 + len(NAMES)) // (1 + len(ways))
        guilty: tuple[str | None, ...] = tuple(ways * count)
        innocent: tuple[str | None, ...] = (None,) * count
        own, others = (guilty, innocent) if self.number % 2 else (innocent, guilty)
        rest = [*own[1:], *others]
        names = [OWN, *rng.sample(NAMES, len(rest))]
        first = self.common_seed(seed) + 10
        return [
            Member(name, departs, first + 10 * i)
            for i, (name, departs) in enumerate(zip(names, [own[0], *rest], strict=True))
        ]

    def common_seed(self, seed: int) -> int:
        """Of what all networks of the task have in common."""
        return 1_000_000 * (seed + 1) + 1000 * self.number

    def departing(self, member: Member, seed: int, start: int = 0) -> AuditPlan:
        """The plan of a network like a member with a defect: one of the audit's by turns, or its own."""
        return self.plan(replace(member, departs=self.way(member)), seed, start)

    def way(self, member: Member) -> str:
        """A member's departure from the rule, or of one that follows it the departure of a network like it."""
        ways = list(self.audit.departures)
        return member.departs or ways[member.seed // 10 % len(ways)]

    def plan(self, member: Member, seed: int, start: int = 0) -> AuditPlan:
        """A member's variables in its network; another start draws other places and directions."""
        return draw_audit_plan(
            self.audit,
            member.departs,
            member.seed + start,
            self.common_seed(seed),
            imitates=self.way(member),
            faint=self.variant == "weak",
            alone=self.variant == "plain",
        )


def listed(family: str, planted: Sequence[tuple[str, str, Sequence[Audit]]]) -> Iterator[Specification]:
    """The tasks of a family; what is put at the end of the list leaves those before it as they are.

    Args:
        family: its name.
        planted: of variants and sizes the audits that are made, each a task of its own.
    """
    seeds = Counter[tuple[str, str]]()
    every = [(variant, size, audit) for variant, size, audits in planted for audit in audits]
    for number, (variant, size, audit) in enumerate(every):
        yield Specification(family, audit, variant, size, seeds[variant, size], number)
        seeds[variant, size] += 1
