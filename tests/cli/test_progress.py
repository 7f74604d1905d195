"""What a run tells on standard error."""

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from peabench.cli.progress import DownloadBar, RunBar, Times
from peabench.hub.watching import bars


def result(status: str) -> Any:
    return SimpleNamespace(status=status, key=SimpleNamespace(scorer="noise", task="toy/a-0", track="guess"))


def test_the_bar_counts_cells_done_and_failed_and_tells_the_time_that_remains() -> None:
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=100)
    with RunBar(total=10, done=4, console=console) as bar:
        for status in ("ok", "failed", "declined"):
            time.sleep(0.01)
            bar.add(result(status))
    last = told.getvalue()
    assert "7/10" in last
    assert "1 failed" in last
    assert "noise toy/a-0" in last
    assert "0:00:0" in last


def test_the_bar_of_a_download_counts_files_and_bytes() -> None:
    told = io.StringIO()
    with DownloadBar(Console(file=told, force_terminal=True, width=100)) as bar:
        counted = bars(bar.tell)
        files = counted(total=12)
        received, written = counted(total=0, unit="B"), counted(total=0, unit="B")
        for one in (received, written):
            one.update(1_500_000)
        written.set_postfix_str("whatever else bars have")
        for _ in range(7):
            files.update(1)
    assert "7/12" in told.getvalue()
    assert "1.5 MB" in told.getvalue()


def test_the_time_of_a_track_is_that_of_its_cells_and_its_share_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 13.0, 17.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    times = Times()
    times.add("circuits", 3.5)
    times.add("variables", 0.5)
    times.add("circuits", 6.0)
    assert times.line() == (
        "Time by track: circuits 6.0 s (2 cells of 9.5 s together), variables 1.0 s (1 cells of 0.5 s together)."
    )
