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
CELLS = 5
"""Of three scorers and two references, on each task."""


class Runs:
    """Runs of the command line with the same scorers, which can be told from all other processes.

    Besides `steady` and `talkative` there is a scorer that does not answer before it is told to go on.
    """

    def __init__(self, folder: Path, last: str = "Waiting", tasks: str = "*tree-xs-*") -> None:
        self.folder, self.out = folder, folder / "results"
        self.marker = f"WILD_RUN={folder}"
        scorers = folder / "scorers.py"
        text = WILD.read_text()
        own = text.index(f"class {last}")
        scorers.write_text(text[: text.index("class Exiting")] + text[own : text.index("\n\n\n", own)])
        options = ["--suite", "smoke", "--task", tasks, "--out", str(self.out), "--json"]
        self.command = [sys.executable, "-c", PROGRAM, "run", str(scorers), *options]
        self.environment = os.environ | {"WILD_RUN": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start(self, jobs: int) -> "subprocess.Popen[bytes]":
        command = [*self.command, "--jobs", str(jobs)]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def go_on(self) -> None:
        (self.folder / "go").touch()

    def finish(self, jobs: int) -> "subprocess.CompletedProcess[str]":
        self.go_on()
        command = [*self.command, "--jobs", str(jobs)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def count(self) -> int:
        return len(list(self.out.glob("*/*/*.json")))

    def under_way(self) -> bool:
        """Whether the last of its scorers has begun to answer."""
        return (self.folder / "begun").exists()

    def processes(self) -> dict[int, str]:
        return processes_with(self.marker)

    def cell_processes(self) -> list[int]:
        return [process for process, command in self.processes().items() if "peabench.worker" in command]


@pytest.fixture(scope="module")
def runs_in() -> Iterator[Callable[..., Runs]]:
    """Makes `Runs` in a folder; none of their processes outlives the tests."""
    made: list[Runs] = []

    def make(folder: Path, **options: str) -> Runs:
        folder.mkdir(exist_ok=True)
        made.append(Runs(folder, **options))
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


@pytest.fixture(scope="module")
def undisturbed(
    runs_in: Callable[..., Runs], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Runs, "subprocess.CompletedProcess[str]"]:
    """A run in one process that nobody kills."""
    runs = runs_in(tmp_path_factory.mktemp("undisturbed"))
    return runs, runs.finish(jobs=0)


@pytest.fixture(scope="module")
def killed(
    runs_in: Callable[..., Runs], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Runs, "subprocess.CompletedProcess[str]"]:
    """A run that was killed twice and then left in peace."""
    runs = runs_in(tmp_path_factory.mktemp("killed"))
    for point in (runs.cell_processes, lambda: runs.under_way() and runs.count()):  # before the first result, and after
        run = runs.start(jobs=2)
        wait_until(point)
        run.kill()
        run.wait()
        wait_until(lambda: not runs.processes())  # no orphan is left
        finished = runs.count()
        results, problems = read_all(runs.out) if runs.out.exists() else ([], [])
        assert (len(results), problems) == (finished, [])
        assert {result.status for result in results} <= {"ok"}
    time.sleep(0.5)
    assert 0 < runs.count() == finished < 2 * CELLS
    host = os.uname().nodename.partition(".")[0]
    part = runs.out / "circuits" / "steady" / f".boolean--tree-xs-0.seed-0.cpu.json.{host}.{run.pid}.part"
    part.write_text('{"key":')  # as if the kill had struck in the middle of writing
    done = runs.finish(jobs=1)
    assert f"{finished} of {2 * CELLS} cells are finished" in done.stderr
    assert not list(runs.out.rglob("*.part"))
    return runs, done


Ended = tuple[Runs, "subprocess.CompletedProcess[str]"]


def test_a_run_that_is_killed_ends_as_one_that_is_not(killed: Ended, undisturbed: Ended) -> None:
    (runs, done), (calm, at_once) = killed, undisturbed
    assert (done.returncode, at_once.returncode) == (0, 0), done.stderr + at_once.stderr
    results, problems = read_all(runs.out)
    assert (len(results), problems) == (2 * CELLS, [])
    assert lasting(results) == lasting(read_all(calm.out)[0])
    for mine, theirs in zip(json.loads(done.stdout), json.loads(at_once.stdout), strict=True):
        assert {**mine, "cost": None} == {**theirs, "cost": None}


@pytest.mark.parametrize("ended", ["killed", "undisturbed"])
def test_what_scorers_print_is_not_on_standard_output(request: pytest.FixtureRequest, ended: str) -> None:
    _, done = request.getfixturevalue(ended)
    assert {row["scorer"] for row in json.loads(done.stdout)} > {"talkative"}
    assert {"a word", "a native word", "a word in a buffer"} <= set(done.stderr.splitlines())
    assert "Time by track: circuits " in done.stderr


def test_the_processes_of_a_run_may_be_killed_and_it_goes_on(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path, tasks="*tree-xs-0")
    run = runs.start(jobs=2)
    wait_until(lambda: runs.count() >= 1)
    os.kill(runs.cell_processes()[0], signal.SIGKILL)
    wait_until(runs.under_way)
    workers = [process for process, command in runs.processes().items() if "loky" in command and process != run.pid]
    os.kill(workers[0], signal.SIGKILL)
    runs.go_on()
    assert run.wait(DEADLINE) == 0
    results, problems = read_all(runs.out)
    assert (len(results), problems) == (CELLS, [])
    assert {result.reason for result in results if result.status == "failed"} <= {
        "Its process was killed (SIGKILL), as the system does where memory runs out."
    }
    assert runs.finish(jobs=1).returncode == 0
    assert {result.status for result in read_all(runs.out)[0]} == {"ok"}


def test_native_code_ends_with_its_run(runs_in: Callable[..., Runs], tmp_path: Path) -> None:
    runs = runs_in(tmp_path, last="Endless", tasks="*tree-xs-0")
    run = runs.start(jobs=1)
    wait_until(runs.under_way)
    watched = runs.cell_processes()
    assert len(watched) == 2  # one asks and grades, one answers
    time.sleep(0.5)
    run.kill()
    run.wait()
    wait_until(lambda: not set(watched) & set(runs.processes()))
    assert runs.count() == 0  # the endless cell is the first
