"""Which tasks a sealed suite has: kinds of its families, in an order that its secret shuffles, under neutral names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random

from peabench.errors import PeabenchError
from peabench.registry import Family, families, suggestion
from peabench.sealing.keys import derive, derive_seed

SUITE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VARIANT = "task"
"""That every sealed task says it is."""


@dataclass(frozen=True)
class Lot:
    """One task of a sealed suite."""

    number: int
    """Its place in the suite; ids are counted through all sizes and families."""
    suite: str
    family: Family
    kind: str
    """`variant-size`, as the family names it."""
    key: bytes
    """All that is random about the task comes from it."""

    @property
    def size(self) -> str:
        """The last part of the kind: `s`."""
        return self.kind.rpartition("-")[2]

    @property
    def name(self) -> str:
        """Of its folder, and the second part of its id: `task-s-3`."""
        return f"{VARIANT}-{self.size}-{self.number}"

    @property
    def id(self) -> str:
        """The task's id: `sealed_2026a/task-s-3`."""
        return f"{task_family(self.suite)}/{self.name}"

    @property
    def origin(self) -> str:
        """What the task really is: `boolean/decoy-s`."""
        return f"{self.family.name}/{self.kind}"


def task_family(suite: str) -> str:
    """The first part of the ids of a suite's tasks.

    >>> task_family("sealed-2026a")
    'sealed_2026a'
    """
    return suite.replace("-", "_")


def draw_lots(secret: bytes, suite: str, patterns: Sequence[str], each: int) -> list[Lot]:
    """The tasks of a sealed suite in the order of their numbers.

    Args:
        secret: of the suite.
        suite: its name, small letters, digits and single hyphens.
        patterns: globs over `family/variant-size`.
        each: how many tasks of each kind.

    Raises:
        PeabenchError: the name is none, or a pattern matches no kind that can be drawn.
    """
    if not SUITE_NAME.fullmatch(suite):
        raise PeabenchError(
            f"{suite!r} cannot be a suite's name; use small letters, digits and single hyphens, as in sealed-2026a."
        )
    known = {
        f"{family.name}/{kind}": family
        for family in families().values()
        for kind in (family.drawing.kinds if family.drawing else ())
    }
    chosen = sorted({kind for pattern in patterns for kind in _matching(pattern, known)})
    drawn = [(kind, copy) for kind in chosen for copy in range(each)]
    Random(derive_seed(secret, suite, "order")).shuffle(drawn)
    return [
        Lot(number, suite, known[kind], kind.partition("/")[2], derive(secret, suite, "task", kind, copy))
        for number, (kind, copy) in enumerate(drawn)
    ]


def _matching(pattern: str, known: dict[str, Family]) -> list[str]:
    found = [kind for kind in known if fnmatchcase(kind, pattern)]
    if found:
        return found
    named = [name for name in families() if fnmatchcase(name, pattern.partition("/")[0])]
    if named and not any(kind.partition("/")[0] in named for kind in known):
        raise PeabenchError(
            f"The family {named[0]} cannot draw fresh tasks from a secret, as its package brings no `drawing`; "
            "leave it out of --kind."
        )
    raise PeabenchError(f"No kind of task that can be drawn matches {pattern!r}; {suggestion(pattern, known)}")
