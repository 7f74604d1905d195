"""Pools: what a cell does to its process befalls no other cell, and what it answers depends on no pool."""

import pickle
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import processes_with
from reruns import lasting

from peabench import supervision
from peabench.cells import Cell
from peabench.discovery import find_scorers
from peabench.errors import PeabenchError
from peabench.pools import Backend
from peabench.results import CellResult, read_all
from peabench.runner import _outcome, plan, run
from peabench.suites import get_suite
from peabench.supervision import Limits, Reply

WILD = Path(__file__).parent / "fakes" / "wild_scorers.py"


def cells_of(*names: str, tasks: str = "*", file: Path = WILD) -> list[Cell]:
    entries = [entry for entry in find_scorers([str(file)])[0] if entry.name in names]
    return plan(entries, get_suite("smoke"), tasks=tasks)


def copied(folder: Path) -> Path:
    """The file of scorers in a folder where they may leave something, as a module of its own."""
    file = folder / WILD.name
    file.write_text(f"{WILD.read_text()}\n# {folder}\n")
    return file


def one(name: str, out: Path, **options: Any) -> CellResult:
    (result,) = run(cells_of(name, tasks="*tree-xs-0"), out, jobs=1, **options)
    return result


def end_idle_processes() -> None:
    for idle in supervision.IDLE.values():
        while idle:
            idle.pop().end()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long grace after a time limit."""
    monkeypatch.setattr(supervision, "GRACE_SECONDS", 0.5)


def test_a_cell_that_ends_its_process_is_a_failure_of_that_cell_alone(tmp_path: Path) -> None:
    (exiting, *_), steady = cells_of("exiting"), cells_of("steady")
    results = {result.key: result for result in run([steady[0], exiting, *steady[1:]], tmp_path, jobs=2)}
    assert results[exiting.key].status == "failed"
    assert results[exiting.key].reason == "Its process ended itself with exit code 9."
    assert {results[cell.key].status for cell in steady} == {"ok"}
    assert len(read_all(tmp_path)[0]) == len(results) == 1 + len(steady)


def test_a_crash_in_native_code_is_named(tmp_path: Path) -> None:
    result = one("crashing", tmp_path)
    assert result.reason == "Its process died of signal 11 (Segmentation fault): a crash in native code."


def test_a_cell_that_takes_too_much_memory_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILD_RUN", str(tmp_path))
    end_idle_processes()  # started without the variable
    result = one("hungry", tmp_path, memory=2**30)
    assert (result.status, result.reason) == (
        "failed",
        "The cell's process held more than its 1.0GiB; raise --memory to give it more.",
    )
    left = processes_with(f"WILD_RUN={tmp_path}").values()
    assert all("peabench.worker examiner" in command for command in left)


def test_native_code_that_outstays_its_time_is_killed(tmp_path: Path, impatient: None) -> None:
    result = one("endless", tmp_path, timeout=2)
    assert result.status == "failed"
    assert result.reason == (
        "The cell took more than its 2 s and was killed, as it did not stop by itself; raise --timeout to give it more."
    )


def test_what_earlier_cells_left_behind_is_no_failure_of_the_next_one(tmp_path: Path) -> None:
    results = list(run(cells_of("hoarding"), tmp_path, jobs=1, memory=10**9))
    assert [result.status for result in results] == ["ok"] * 4


@pytest.mark.parametrize("name", ["spoiling", "forking"])
@pytest.mark.parametrize("jobs", [0, 1])
def test_what_a_cell_does_to_its_process_befalls_no_other(tmp_path: Path, name: str, jobs: int) -> None:
    if (name, jobs) == ("forking", 0):
        pytest.skip("nothing guards this very process")
    steady = cells_of("steady")
    calm = lasting(run(steady, tmp_path / "calm", jobs=1))
    mixed = [cell for pair in zip(cells_of(name), steady, strict=True) for cell in pair]
    results = list(run(mixed, tmp_path / "mixed", jobs=jobs))
    assert {result.status for result in results} == {"ok"}
    assert lasting(result for result in results if result.key.scorer == "steady") == calm


def test_cells_that_meddle_with_their_connection_fail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "TRANSFER_SECONDS", 1.0)
    end_idle_processes()  # what dies in one that was used before is tried again
    reasons = {
        "chattering": "Its process gave something that is no answer to what it was asked.",
        "closing": "Its process (ended itself with exit code 1|closed the connection to the run).",
        "halting": r"Its process was killed \(SIGKILL\), as the system does where memory runs out\.",
    }
    meddling = [cell for name in reasons for cell in cells_of(name, tasks="*tree-xs-0")]
    steady = cells_of("steady", tasks="*tree-xs-*")
    results = supervised_here([*meddling, *steady])
    assert {result.status for result in results[: len(meddling)]} == {"failed"}
    for result, reason in zip(results, reasons.values(), strict=False):
        assert re.fullmatch(reason, result.reason)
    assert {result.status for result in results[len(meddling) :]} == {"ok"}


def supervised_here(cells: list[Cell]) -> list[CellResult]:
    """The cells in processes that this very process watches, one after another."""
    found = []
    for cell in cells:
        reply = supervision.supervised(0, pickle.dumps(cell), Limits())
        found.append(_outcome(cell, reply).result)
    return found


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_time_limit_that_no_clock_has_is_one_sentence(tmp_path: Path, timeout: float) -> None:
    with pytest.raises(PeabenchError, match="--timeout takes 0 to 1e\\+08 seconds, not"):
        list(run(cells_of("steady"), tmp_path, timeout=timeout))


def test_there_are_no_more_workers_than_cells(tmp_path: Path) -> None:
    assert [result.status for result in run(cells_of("steady", tasks="*tree-xs-0"), tmp_path, jobs=10**6)] == ["ok"]


def test_a_limit_that_torch_alone_breaks_fails_every_cell(tmp_path: Path) -> None:
    end_idle_processes()  # one that has torch already may answer before its memory is looked at
    assert "held more than its 50.0MiB" in one("steady", tmp_path, memory=50 * 2**20).reason


def test_a_worker_that_is_killed_is_replaced_and_its_cells_run_again(tmp_path: Path) -> None:
    cells = cells_of("murderous", "steady", file=copied(tmp_path))
    results = list(run(cells, tmp_path / "out", jobs=2))
    assert (tmp_path / "killed").exists()
    assert [result.status for result in results] == ["ok"] * len(cells)


def test_answers_depend_neither_on_the_number_of_jobs_nor_on_the_order(tmp_path: Path) -> None:
    cells = cells_of("steady")
    here = lasting(run(cells, tmp_path / "here", jobs=0))
    assert len({str(result["answer_hash"]) for result in here}) == len(cells)
    assert lasting(run(cells[::-1], tmp_path / "one", jobs=1)) == here
    assert lasting(run(cells[1:] + cells[:1], tmp_path / "two", jobs=2)) == here


def test_dask_gives_the_same_and_survives_the_same(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    survives_and_agrees(Backend.dask, tmp_path)


@pytest.mark.ray
def test_ray_gives_the_same_and_survives_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    survives_and_agrees(Backend.ray, tmp_path)


def survives_and_agrees(backend: Backend, out: Path) -> None:
    file = copied(out)
    steady, (exiting, *_), (murderous, *_) = (
        cells_of(name, tasks="*tree-xs-*", file=file) for name in ("steady", "exiting", "murderous")
    )
    cells = [exiting, *steady, murderous]
    results = list(run(cells, out / "cluster", jobs=2, backend=backend, memory=2**30))
    assert (out / "killed").exists()
    failed = [result for result in results if result.status == "failed"]
    assert [result.reason for result in failed] == ["Its process ended itself with exit code 9."]
    answered = [result for result in results if result.status == "ok"]
    assert lasting(answered) == lasting(run([*steady, murderous], out / "here", jobs=0))
    assert lasting(read_all(out / "cluster")[0]) == lasting(results)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"jobs": 0, "memory": 2**30}, "--memory needs processes that can be killed; leave out --jobs 0."),
        ({"jobs": 0, "backend": Backend.dask}, "leave out --backend dask, or --jobs 0."),
        ({"cluster": "tcp://nowhere:1"}, "--cluster names a Ray or Dask cluster; give --backend ray or dask with it."),
    ],
)
def test_options_that_exclude_each_other_are_one_sentence(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PeabenchError) as caught:
        list(run(cells_of("steady"), tmp_path, **options))
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize(("backend", "package"), [(Backend.dask, "distributed"), (Backend.ray, "ray")])
def test_a_missing_extra_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PeabenchError) as caught:
        list(run(cells_of("steady"), tmp_path, backend=backend))
    assert str(caught.value) == (
        f"--backend {backend} needs a package that is missing; run `pip install 'peabench[{backend}]'`."
    )


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x80\x04."])
def test_what_a_cells_process_sends_is_read_as_data(content: bytes) -> None:
    (cell,) = cells_of("steady", tasks="*tree-xs-0")
    found = _outcome(cell, Reply(0, content, "", 0.0)).result
    assert (found.status, found.reason) == ("failed", "Its process gave something that is no result.")
