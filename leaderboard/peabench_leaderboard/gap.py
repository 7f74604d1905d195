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
        f"{gap.public:.2f} {_told(gap.public_interval)}",
        f"{gap.sealed:.2f} {_told(gap.sealed_interval)}",
        f"{gap.gap:+.2f} {_told(gap.gap_interval)}",
    )


def _told(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}"
