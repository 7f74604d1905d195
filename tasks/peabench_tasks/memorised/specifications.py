"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.memorised.audits import partial, table

FAMILY = "memorised"


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(
        FAMILY,
        (
            ("open", "xs", (table(0, 16, 8), table(3, 24, 8))),
            ("evasive", "s", (table(5, 24, 11, 10), table(3, 30, 11, 6))),
            ("open", "xs", (table(33, 30, 8),)),
            ("free", "xs", (partial(0, 16, 4), partial(1, 24, 4))),
        ),
    )
