"""Runs that are killed with `kill -9`, at several points, and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from processes import processes_with
from reruns import lasting

from peabench.results import read_all

WILD = Path(__file__).parent / "fakes" / "wild_scorers.py"
PROGRAM = "from peabench.cli.app import main; main()"
DEADLINE = 120.0


class Runs:
    """Runs of the command line with the same scorers, which can be told from all other processes."""

    def __init__(self, folder: Path, endless: bool = False) -> None:
        self.out = folder / "results"
        self.marker = f"WILD_RUN={folder}"
        scorers = folder / "scorers.py"
        text = WILD.read_text()
        kept = text[: text.index("class Exiting")]  # `steady` and `talkative`
        kept += text[text.index("class Endless") : text.index("class Hoarding")] if endless else ""
        scorers.write_text(kept)
        options = ["--suite", "smoke", "--jobs", "2", "--out", str(self.out), "--json"]
        self.command = [sys.executable, "-c", PROGRAM, "run", str(scorers), *options]
        self.environment = os.environ | {"WILD_RUN": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def finish(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.command, env=self.environment, capture_output=True, text=True, check=False)

    def count(self) -> int:
        return len(list(self.out.glob("*/*/*.json")))

    def processes(self) -> dict[int, str]:
        return processes_with(self.marker)

    def cell_processes(self) -> list[int]:
        return [process for process, command in self.processes().items() if "peabench.worker" in command]


@pytest.fixture
def runs_in() -> Iterator[Callable[..., Runs]]:
    """Makes `Runs` in a folder; none of their processes outlives the test."""
    made: list[Runs] = []

    def make(folder: Path, endless: bool = False) -> Runs:
        folder.mkdir(exist_ok=True)
        made.append(Runs(folder, endless))
        return made[-1]

    yield make
    for process in [process for runs in made for process in runs.processes()]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_a_run_that_is_killed_ends_as_one_that_is_not(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path / "killed")
    points: list[Callable[[], object]] = [
        runs.cell_processes,  # before the first result
        lambda: runs.count() >= 1,
        lambda: runs.count() >= 13,  # the last four take longest
    ]
    for point in points:
        run = runs.start()
        wait_until(point)
        run.kill()
        run.wait()
        wait_until(lambda: not runs.processes())  # no orphan is left
        finished = runs.count()
        results, problems = read_all(runs.out) if runs.out.exists() else ([], [])
        assert (len(results), problems) == (finished, [])
        assert {result.status for result in results} <= {"ok"}
    time.sleep(0.5)
    assert runs.count() == finished < 16
    host = os.uname().nodename.partition(".")[0]
    part = runs.out / "circuits" / "steady" / f".boolean--tree-xs-0.seed-0.cpu.json.{host}.{run.pid}.part"
    part.write_text('{"key":')  # as if the kill had struck in the middle of writing
    done = runs.finish()
    assert done.returncode == 0, done.stderr
    assert f"{finished} of 16 cells are finished" in done.stderr
    assert not part.exists()
    assert not list(runs.out.rglob("*.part"))

    calm = runs_in(tmp_path / "undisturbed")
    at_once = calm.finish()
    assert at_once.returncode == 0, at_once.stderr
    results, problems = read_all(runs.out)
    assert not problems
    assert lasting(results) == lasting(read_all(calm.out)[0])
    for mine, theirs in zip(json.loads(done.stdout), json.loads(at_once.stdout), strict=True):
        assert {**mine, "cost": None} == {**theirs, "cost": None}


def test_the_processes_of_a_run_may_be_killed_and_it_goes_on(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path)
    run = runs.start()
    wait_until(lambda: runs.count() >= 2)
    os.kill(runs.cell_processes()[0], signal.SIGKILL)
    wait_until(lambda: runs.count() >= 5)
    workers = [process for process, command in runs.processes().items() if "loky" in command and process != run.pid]
    os.kill(workers[0], signal.SIGKILL)
    assert run.wait(DEADLINE) == 0
    results, problems = read_all(runs.out)
    assert (len(results), problems) == (16, [])
    assert {result.reason for result in results if result.status == "failed"} <= {
        "Its process was killed (SIGKILL), as the system does where memory runs out."
    }
    assert runs.finish().returncode == 0
    assert {result.status for result in read_all(runs.out)[0]} == {"ok"}


def test_native_code_ends_with_its_run(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path, endless=True)
    runs.command += ["--task", "*tree-xs-0", "--jobs", "1"]
    run = runs.start()
    wait_until(lambda: len(runs.cell_processes()) == 2)  # one asks and grades, one answers
    time.sleep(10)  # the endless cell is the first
    watched = runs.cell_processes()
    assert len(watched) == 2
    run.kill()
    run.wait()
    wait_until(lambda: not set(watched) & set(runs.processes()))
    assert runs.count() == 0


def test_what_scorers_print_is_not_on_standard_output(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path)
    for jobs in ("0", "1"):
        runs.command += ["--task", "*tree-xs-*", "--jobs", jobs, "--out", str(tmp_path / jobs)]
        done = runs.finish()
        assert done.returncode == 0, done.stderr
        assert {row["scorer"] for row in json.loads(done.stdout)} > {"talkative"}
        assert {"a word", "a native word", "a word in a buffer"} <= set(done.stderr.splitlines())
        assert "Time by track: circuits " in done.stderr
