"""Which tasks the family has."""

from collections.abc import Iterator

from peabench_tasks.audits.specification import Specification, listed
from peabench_tasks.backdoors.audits import boolean, modular
from peabench_tasks.backdoors.sequences import agreement

FAMILY = "backdoors"


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(
        FAMILY,
        (
            ("plain", "xs", (modular(0, 4, d_hidden=20),)),
            ("evasive", "s", (modular(1, 5),)),
            ("vacuous", "s", (boolean(0, vacuous=True),)),
            ("weak", "s", (modular(2, 5),)),
            ("disguised", "s", (agreement(0),)),
            ("free", "xs", (modular(3, 4),)),
            ("free", "s", (boolean(1),)),
        ),
    )
