"""What `peabench leaderboard gap` prints for people."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from peabench.cli.output import display, table
from peabench.gaps import Gap

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = [("Scorer", "fold"), *((f"{name}, 95%", "right") for name in ("Public", "Sealed", "Gap"))]


def print_gaps(found: Sequence[Gap]) -> None:
    """Print a table for each track, and how many gaps are no accident of which tasks were drawn."""
    parts: list[Table | str] = []
    for track, group in groupby(found, key=lambda gap: gap.track):
        rows = list(group)
        title = f"{track}: {rows[0].public_tasks} public tasks, {rows[0].sealed_tasks} sealed ones"
        told = [gap.gap_interval for gap in rows if gap.role == "method" and gap.gap_interval is not None]
        apart = sum(low > 0 for low, _ in told)
        remark = f"{apart} of {len(told)} methods are told to score higher on public tasks."
        parts += ["", table(title, COLUMNS, [_cells(gap) for gap in rows]), remark]
    display(*parts[1:])


def _cells(gap: Gap) -> tuple[str, ...]:
    return (
        gap.scorer,
        _with_interval(gap.public, gap.public_interval, ".2f"),
        _with_interval(gap.sealed, gap.sealed_interval, ".2f"),
        _with_interval(gap.gap, gap.gap_interval, "+.2f"),
    )


def _with_interval(value: float, bounds: tuple[float, float] | None, style: str) -> str:
    told = "-" if bounds is None else f"{bounds[0]:{style}} to {bounds[1]:{style}}"
    return f"{value:{style}} {told}"
