"""What long commands tell on standard error: bars while they work, and at the end of a run the time of each track."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

    from peabench.results import CellResult


@dataclass
class TrackTime:
    """What the cells of one track took in a run."""

    cells: int = 0
    cell_seconds: float = 0.0
    """Sum over the cells: loading, answering and grading, in whichever process."""
    wall_seconds: float = 0.0
    """Its share of the run's wall time: the waits that ended with a result of this track."""


class Times:
    """The time of each track, from results in the order in which they come."""

    def __init__(self) -> None:
        self.tracks: dict[str, TrackTime] = {}
        self._last = time.perf_counter()

    def add(self, track: str, cell_seconds: float) -> None:
        """Note a cell that has just come."""
        now = time.perf_counter()
        entry = self.tracks.setdefault(track, TrackTime())
        entry.cells += 1
        entry.cell_seconds += cell_seconds
        entry.wall_seconds += now - self._last
        self._last = now

    def line(self) -> str:
        """All tracks in one line.

        >>> times = Times()
        >>> times.tracks = {"circuits": TrackTime(384, 61.04, 33.5)}
        >>> times.line()
        'Time by track: circuits 33.5 s (384 cells of 61.0 s together).'
        """
        told = (
            f"{name} {entry.wall_seconds:.1f} s ({entry.cells} cells of {entry.cell_seconds:.1f} s together)"
            for name, entry in sorted(self.tracks.items())
        )
        return f"Time by track: {', '.join(told)}."


class RunBar:
    """A bar with the cells done and failed, the time that has passed and the time that remains."""

    def __init__(self, total: int, done: int, console: "Console | None" = None) -> None:
        """Args:
        total: cells of the run.
        done: how many of them need not be run.
        console: by default standard error.
        """
        from rich.progress import TextColumn

        self._progress = _progress(console, TextColumn("{task.fields[failed]} failed"))
        self._failed = 0
        self._bar = self._progress.add_task("", total=total, completed=done, failed=0)

    def __enter__(self) -> "RunBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def add(self, result: "CellResult") -> None:
        """Count a cell that has just come."""
        self._failed += result.status == "failed"
        description = f"{result.key.scorer} {result.key.task}"
        self._progress.update(self._bar, advance=1, failed=self._failed, description=description)


class DownloadBar:
    """A bar with the files done, the bytes received, the time that has passed and the time that remains."""

    def __init__(self, console: "Console | None" = None) -> None:
        """Args:
        console: by default standard error.
        """
        from rich.progress import TextColumn

        self._progress = _progress(console, TextColumn("{task.fields[size]}"))
        self._bar = self._progress.add_task("", total=None, size="")

    def __enter__(self) -> "DownloadBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def tell(self, done: int, files: int, received: int) -> None:
        """Show so many files done of so many, and so many bytes received."""
        from rich.filesize import decimal

        self._progress.update(self._bar, completed=done, total=files or None, size=decimal(received))


@contextmanager
def named_bars(console: "Console | None" = None) -> Iterator[Callable[[str, float], None]]:
    """Bars that appear when they are first spoken of: what the block calls with a name and the share of it done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console or Console(stderr=True)) as progress:
        bars = {}

        def report(name: str, fraction: float) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=1.0)
            progress.update(bars[name], completed=fraction)

        yield report


def _progress(console: "Console | None", count: "ProgressColumn") -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        count,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    return Progress(*columns, console=console or Console(stderr=True), transient=True)
