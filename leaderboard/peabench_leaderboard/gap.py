"""What `peabench leaderboard gap` prints for people."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from peabench.cli.output import display, table
from peabench.gaps import Gap

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = [("Scorer", "fold"), *((name, "right") for name in ("Public", "95%", "Sealed", "95%", "Gap", "95%"))]


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
        f"{gap.public:.3f}",
        _interval(gap.public_interval, ".2f"),
        f"{gap.sealed:.3f}",
        _interval(gap.sealed_interval, ".2f"),
        f"{gap.gap:+.3f}",
        _interval(gap.gap_interval, "+.2f"),
    )


def _interval(bounds: tuple[float, float] | None, style: str) -> str:
    return "-" if bounds is None else f"{bounds[0]:{style}} to {bounds[1]:{style}}"
