"""Running scorers on a suite: the cells of a run, what of them is done already, and the pool that does the rest."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from peabench.catalogue import TaskSummary, content_hash, select
from peabench.cells import Cell, Outcome, outcome, run_cell
from peabench.discovery import ScorerEntry
from peabench.errors import PeabenchError
from peabench.results import CellKey, CellResult, finished, save
from peabench.suites import Suite, difference, tasks_of


def plan(
    scorers: Sequence[ScorerEntry], suite: Suite, tasks: str = "*", seed: int = 0, device: str = "cpu"
) -> list[Cell]:
    """The cells of a run: every scorer with every task of the suite that serves its track.

    A task whose content is not what the suite froze becomes a cell that fails.

    Args:
        scorers: what to run.
        suite: where its tasks come from.
        tasks: a glob over task ids.
        seed: of the questions and of the scorers.
        device: `cpu` or `cuda`.

    Raises:
        PeabenchError: no cell is left.
    """
    from peabench import tracks

    chosen = tasks_of(suite) if tasks == "*" else select(tasks_of(suite), [tasks])
    contents = {task.id: content_hash(task.folder) for task in chosen}
    problems = {task.id: difference(suite, task) or "" for task in chosen}
    cells = []
    for entry in scorers:
        serving = [task for task in chosen if entry.track in task.tracks]
        for task in serving:
            others = tuple(other for other in serving if other is not task) if entry.origin == "track" else ()
            key = CellKey(
                track=entry.track,
                track_version=tracks.get(entry.track).version,
                scorer=entry.name,
                scorer_version=entry.version,
                source_hash=entry.source_hash,
                task=task.id,
                content_hash=contents[task.id],
                others_hash=_joint_hash(others, contents),
                seed=seed,
                device=device,
            )
            name = f"{suite.name} {suite.version}"
            beside = tuple(other.folder for other in others)
            cells.append(Cell(key, entry, name, task.folder, beside, problems[task.id], task.provenance))
    if not cells:
        raise PeabenchError(f"No task of the suite {suite.name} serves the tracks of the scorers asked for.")
    return cells


def run(
    cells: Sequence[Cell], out: Path, jobs: int | None = None, timeout: float | None = None
) -> Iterator[CellResult]:
    """Run the cells, or read those that are done, and give each result as it comes.

    Every result is in its file before it is given, so a run that is stopped continues where it was. With more than one
    job each cell runs in a pool of processes, and one that kills its process is a failure of that cell alone; with one
    job all run in this process.

    Args:
        cells: from `plan`.
        out: folder of the results.
        jobs: processes; by default as many as there are cores.
        timeout: seconds that a cell may take; see `peabench.cells.run_cell`.
    """
    waiting = {}
    for cell in cells:
        done = finished(cell.key, out)
        if done is None:
            waiting[cell.key] = cell
        else:
            yield done
    for found in _run_all(waiting, jobs or cpu_count(), timeout):
        save(found.result, out, found.answers)
        yield found.result


def done_already(cells: Sequence[Cell], out: Path) -> int:
    """How many of the cells `run` would read instead of running."""
    return sum(finished(cell.key, out) is not None for cell in cells)


def _run_all(waiting: dict[CellKey, Cell], jobs: int, timeout: float | None) -> Iterator[Outcome]:
    """Run the cells in a pool; the cells under way when a process dies are run again, each in a pool of its own."""
    with tempfile.TemporaryDirectory(prefix="peabench-") as folder:
        while waiting:
            try:
                for found in _pool(list(waiting.values()), jobs, timeout, folder):
                    del waiting[found.result.key]
                    yield found
            except TerminatedWorkerError:
                suspects = [cell for cell in waiting.values() if _marker(folder, cell).exists()]
                if not suspects:
                    raise
                for cell in suspects:
                    del waiting[cell.key]
                    yield _run_alone(cell, timeout, folder)


def _run_alone(cell: Cell, timeout: float | None, folder: str) -> Outcome:
    try:
        return next(_pool([cell], 2, timeout, folder))  # a pool of one job would be this very process
    except TerminatedWorkerError:
        _marker(folder, cell).unlink(missing_ok=True)
        return Outcome(outcome(cell, "failed", reason="Its process died: out of memory, or a crash in native code."))


def _pool(cells: Sequence[Cell], jobs: int, timeout: float | None, folder: str) -> Iterator[Outcome]:
    pool = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    results: Iterator[Outcome] = pool(delayed(_marked)(cell, timeout, _marker(folder, cell)) for cell in cells)
    return results


def _marked(cell: Cell, timeout: float | None, marker: Path) -> Outcome:
    """Run a cell with a file that says that it is under way, for the case that its process dies."""
    if marker.parent.exists():  # on another machine of a cluster it does not
        marker.touch()
    found = run_cell(cell, timeout)
    marker.unlink(missing_ok=True)
    return found


def _marker(folder: str, cell: Cell) -> Path:
    return Path(folder) / hashlib.sha256(cell.key.model_dump_json().encode()).hexdigest()


def _joint_hash(tasks: Sequence[TaskSummary], contents: dict[str, str]) -> str:
    if not tasks:
        return ""
    return hashlib.sha256("".join(sorted(contents[task.id] for task in tasks)).encode()).hexdigest()
