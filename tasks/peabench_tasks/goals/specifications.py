"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.goals.audits import flags, situations
from peabench_tasks.goals.beliefs import Wanted
from peabench_tasks.goals.maze import Maze

FAMILY = "goals"
LOOP = Maze(("o-o o", "| | |", "o-o-o", "|   |", "o   o"))
"""Four cells around, and ends that lead nowhere."""
RING = Maze(("  o-o", "  | |", "o-o o", "|   |", "o-o-o"))
"""Eight cells around: to the one opposite both ways are as short."""


def audited() -> Iterator[Specification]:
    """The tasks of the track `audits`."""
    return listed(
        FAMILY,
        (
            ("open", "xs", (flags(LOOP), flags(RING))),
            ("evasive", "s", (situations(RING, 0),)),
            ("vacuous", "s", (situations(LOOP, 3, vacuous=True),)),
            ("weak", "s", (situations(LOOP, 2),)),
        ),
    )


def wanted() -> Iterator[Wanted]:
    """The tasks of the track `beliefs`."""
    yield Wanted(LOOP, "decoy", 0)
    yield Wanted(RING, "decoy", 1)
    yield Wanted(RING, "few", 0)


def specifications() -> Iterator[Specification | Wanted]:
    """All tasks of the family."""
    yield from audited()
    yield from wanted()
