"""Running scorers on a suite: the cells of a run, what of them is done already, and running the rest in a pool."""

import hashlib
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from joblib import delayed

from peabench.catalogue import TaskSummary, content_hash
from peabench.cells import Cell, Outcome, outcome, run_cell
from peabench.cost import PROC
from peabench.discovery import ScorerEntry
from peabench.errors import PeabenchError
from peabench.pools import Backend, open_pool
from peabench.results import CellKey, CellResult, finished, save
from peabench.storage import clear_parts
from peabench.suites import Suite, difference, tasks_of
from peabench.supervision import Limits, Reply, supervised

BREAKS_IN_A_ROW = 3
LONGEST_TIMEOUT = 1e8
"""Seconds; timers of the system hold no number at will."""


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

    chosen = tasks_of(suite, [tasks])
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
                source_hash=entry.content_hash,
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
    cells: Sequence[Cell],
    out: Path,
    jobs: int | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    backend: Backend = Backend.processes,
    cluster: str | None = None,
    on_ran: Callable[[CellResult, float], None] | None = None,
) -> Iterator[CellResult]:
    """Run the cells, or read those that are done, and give each result as it comes.

    Every result is in its file before it is given, so a run that is stopped, or killed at any moment, continues where
    it was. Each scorer answers in a process that a worker of the pool watches: one that breaks a limit or kills its
    process is a failure of that cell alone. Another process makes the questions and grades the answers. What a cell
    answers depends neither on the pool nor on the order.

    Args:
        cells: from `plan`.
        out: folder of the results.
        jobs: workers; by default as many as there are cores. With 0 all cells run in this very process, where a
            debugger sees them, and nothing guards it from what they do.
        timeout: seconds that a cell may take.
        memory: bytes that the process of a cell may hold, Python and torch included.
        backend: whose pool.
        cluster: address of an existing Ray or Dask cluster.
        on_ran: called with the result of each cell that was run, not read, and the wall seconds that all of it took.

    Raises:
        PeabenchError: the limits or the pool cannot be had here, or a result cannot be written.
    """
    _refuse_what_cannot_be(jobs, timeout, memory, backend)
    clear_parts(out)
    waiting = {}
    for cell in cells:
        done = finished(cell.key, out)
        if done is None:
            waiting[cell.key] = cell
        else:
            yield done
    if jobs == 0:
        ran = _run_here(waiting.values(), timeout)
    else:
        ran = _run_in_pool(waiting, Limits(timeout, memory), backend, jobs, cluster)
    for found, wall_seconds in ran:
        save(found.result, out, found.answers)
        if on_ran is not None:
            on_ran(found.result, wall_seconds)
        yield found.result


def done_already(cells: Sequence[Cell], out: Path) -> int:
    """How many of the cells `run` would read instead of running."""
    return sum(finished(cell.key, out) is not None for cell in cells)


def _refuse_what_cannot_be(jobs: int | None, timeout: float | None, memory: int | None, backend: Backend) -> None:
    if timeout is not None and not 0 <= timeout <= LONGEST_TIMEOUT:
        raise PeabenchError(
            f"--timeout takes 0 to {LONGEST_TIMEOUT:g} seconds, not {timeout:g}; leave it out for no limit."
        )
    if jobs == 0 and backend is not Backend.processes:
        raise PeabenchError(f"--jobs 0 runs the cells in this process; leave out --backend {backend}, or --jobs 0.")
    if memory is not None and jobs == 0:
        raise PeabenchError("--memory needs processes that can be killed; leave out --jobs 0.")
    if memory is not None and not PROC.exists():
        raise PeabenchError("--memory needs /proc, which this system does not have; leave it out.")


def _run_here(cells: Iterable[Cell], timeout: float | None) -> Iterator[tuple[Outcome, float]]:
    for cell in cells:
        started = time.perf_counter()
        found = run_cell(cell, timeout)
        yield found, time.perf_counter() - started


def _run_in_pool(
    waiting: dict[CellKey, Cell], limits: Limits, backend: Backend, jobs: int | None, cluster: str | None
) -> Iterator[tuple[Outcome, float]]:
    """Run the cells in a pool. Where its workers are killed, the cells that they were at are run again."""
    if not waiting:
        return
    breaks = 0
    workers = None if jobs is None else min(jobs, len(waiting))
    with open_pool(backend, workers, cluster) as pool:
        while waiting:
            cells = list(waiting.values())
            packed = (pickle.dumps(cell) for cell in cells)
            calls = (delayed(supervised)(i, cell, limits, pool.leader) for i, cell in enumerate(packed))
            try:
                for reply in pool.parallel()(calls):
                    cell = cells[reply.number]
                    del waiting[cell.key]
                    breaks = 0
                    yield _outcome(cell, reply), reply.wall_seconds
            except pool.broken as error:
                breaks += 1
                if breaks == BREAKS_IN_A_ROW:
                    raise PeabenchError(
                        f"The workers of the pool were killed {breaks} times before any of them finished a cell; "
                        "give them more memory, or run fewer of them with --jobs."
                    ) from error


def _outcome(cell: Cell, reply: Reply) -> Outcome:
    if reply.result is None:
        return Outcome(outcome(cell, "failed", reason=reply.reason))
    try:
        found = Outcome.from_bytes(reply.result)
    except ValueError:
        return Outcome(outcome(cell, "failed", reason="Its process gave something that is no result."))
    if found.result.key != cell.key:
        return Outcome(outcome(cell, "failed", reason="Its process gave the result of another cell."))
    return found


def _joint_hash(tasks: Sequence[TaskSummary], contents: dict[str, str]) -> str:
    if not tasks:
        return ""
    return hashlib.sha256("".join(sorted(contents[task.id] for task in tasks)).encode()).hexdigest()
