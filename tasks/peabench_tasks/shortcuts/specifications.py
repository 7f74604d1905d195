"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.shortcuts.audits import brackets, maximum, parity, sorting, telltale

FAMILY = "shortcuts"


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(
        FAMILY,
        (
            ("open", "xs", (parity(0),)),
            ("evasive", "s", (brackets(1, 10),)),
            ("vacuous", "s", (maximum(1, 5, vacuous=True),)),
            ("weak", "s", (parity(2, 9),)),
            ("open", "xs", (sorting(0),)),
            ("evasive", "s", (sorting(1, 10),)),
            ("free", "xs", (telltale(0), telltale(1))),
        ),
    )
