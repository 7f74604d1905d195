"""Families whose ways are of several kinds, of which each has its turn."""

from functools import cached_property
from random import Random
from typing import ClassVar

from typing_extensions import override

from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.terms import Term

OF_A_KIND = 3
"""How many ways of each kind a question asks about."""


class OfKinds(Specification):
    """A task whose ways are drawn, equally many of each of three kinds."""

    kinds: ClassVar[tuple[tuple[Term, ...], ...]]
    """The ways to compute the function, by what they are alike in."""

    @cached_property
    @override
    def ways(self) -> tuple[Term, ...]:
        rng = Random(f"ways/{self.family}/{self.name}")
        return tuple(way for kind in self.kinds for way in rng.sample(kind, OF_A_KIND))

    @property
    @override
    def truths(self) -> tuple[int, ...]:
        count = 2 if self.variant == "crossed" else len(self.kinds)
        return tuple((self.seed + turn) % len(self.kinds) * OF_A_KIND for turn in range(count))
