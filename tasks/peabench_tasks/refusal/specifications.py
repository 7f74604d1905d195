"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.refusal.audits import jailbroken, uncovered

FAMILY = "refusal"


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(
        FAMILY,
        (
            ("open", "xs", (uncovered(0, 7),)),
            ("evasive", "s", (jailbroken(0, 12), jailbroken(1, 10, gates=2))),
            ("vacuous", "s", (jailbroken(2, 12, vacuous=True),)),
        ),
    )
