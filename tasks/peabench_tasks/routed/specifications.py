"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.routed.audits import masked

FAMILY = "routed"


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(
        FAMILY,
        (
            ("plain", "xs", (masked(0, 10),)),
            ("evasive", "s", (masked(1, 10),)),
            ("trained", "s", (masked(2, 10, trained=True),)),
        ),
    )
