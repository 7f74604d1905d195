"""Whether collected results are what they were, and what the installed code gives."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peabench.answers import read_answers
from peabench.cells import Cell, run_cell
from peabench.collected import Collected, altered, documents, read_collected
from peabench.discovery import ScorerEntry, known_scorers
from peabench.environment import environment, same_platform
from peabench.errors import PeabenchError
from peabench.grading import grade_cell
from peabench.results import SCORE, CellKey, CellResult
from peabench.runner import plan
from peabench.suites import Suite, get_suite

LONGEST = 2.0
"""Stored seconds of the slowest cells that a sample is drawn from."""
REGRADED = 1e-6
RECOMPUTED = 1e-4


@dataclass(frozen=True)
class CollectedResult:
    """A collected result, and how to run its cell again."""

    result: CellResult
    cell: Cell | None
    """None where the scorer is not installed, or its track no longer has the task."""

    @property
    def repeats(self) -> bool:
        """Whether running it again is quick and must give the same."""
        cost = self.result.cost
        return (
            self.cell is not None
            and self.result.status == "ok"
            and self.cell.scorer.deterministic
            and self.result.key.device == "cpu"
            and cost is not None
            and cost.wall_seconds <= LONGEST
        )


@dataclass(frozen=True)
class Recomputation:
    """What running a cell again gave."""

    problems: tuple[str, ...]
    same_platform: bool
    """Whether the result was made on a platform like this one, so that the answers were compared bit by bit."""


def collected_cells(folder: Path) -> tuple[list[CollectedResult], list[str]]:
    """The results of a folder of collected ones, and one sentence for each thing that is wrong with them.

    A file must be as the manifest lists it, a result one of the installed scorer, task, track and suite, and its
    answers those that it names.

    Raises:
        PeabenchError: the folder has no manifest, or its suite is not installed in that version.
    """
    if not folder.is_dir():
        raise PeabenchError(f"There is no folder of results {folder}; `peabench leaderboard collect` makes one.")
    problems = altered(folder)
    found = []
    for document in documents(folder):
        try:
            found.append(read_collected(document))
        except PeabenchError as error:
            problems.append(str(error))
    planned = _planned(found)
    cells = [
        CollectedResult(result, planned.get((document.suite, *_place(result.key))))
        for document in found
        for result in document.results()
    ]
    for item in cells:
        try:
            read_answers(folder, item.result.key)
        except PeabenchError as error:
            problems.append(str(error))
        if item.cell is not None and item.cell.key != item.result.key:
            problems.append(_stale(item.result, item.cell))
    return cells, problems


def sample(results: Sequence[CollectedResult], count: int, seed: int) -> list[CollectedResult]:
    """Cells to run again: one of each scorer in turn, in a random order, of those that are quick and deterministic."""
    generator = np.random.default_rng(seed)
    by_scorer: dict[tuple[str, str], list[CollectedResult]] = defaultdict(list)
    for result in results:
        if result.repeats:
            by_scorer[result.result.key.track, result.result.key.scorer].append(result)
    queues = [[found[i] for i in generator.permutation(len(found))] for _, found in sorted(by_scorer.items())]
    queues = [queues[i] for i in generator.permutation(len(queues))]
    turns = [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]
    return turns[:count]


def recomputed(folder: Path, stored: CollectedResult) -> Recomputation:
    """Grade a cell's stored answers again, run it again, and compare both with its result.

    Scores must agree to 1e-6 when the stored answers are graded and to 1e-4 when the cell is run; where the platform is
    the one that the result was made on, so must the answers and the count of passes, exactly.
    """
    result, cell = stored.result, stored.cell
    if cell is None:
        raise PeabenchError(f"The scorer {result.key.scorer} is not installed; install it to run its cells again.")
    alike = same_platform(environment(result.key.device), result.environment)
    problems = [*_regraded(folder, result, cell), *_run_again(result, cell, alike)]
    return Recomputation(tuple(problems), alike)


def _planned(found: Sequence[Collected]) -> dict[tuple[object, ...], Cell]:
    """The cells that the installed code would run in the place of collected ones, by suite and place."""
    entries = {(entry.track, entry.name): entry for entry in known_scorers()[0]}
    runs: dict[tuple[str, int, str], list[ScorerEntry]] = defaultdict(list)
    for document in found:
        entry = entries.get((document.track, document.scorer))
        for seed, device in sorted({(cell.seed, cell.device) for cell in document.cells}):
            if entry is not None:
                runs[document.suite, seed, device].append(entry)
    return {
        (suite, *_place(cell.key)): cell
        for (suite, seed, device), scorers in runs.items()
        for cell in plan(scorers, _suite_of(suite), seed=seed, device=device)
    }


def _place(key: CellKey) -> tuple[object, ...]:
    return key.track, key.scorer, key.task, key.seed, key.device


def _suite_of(label: str) -> Suite:
    name, _, version = label.rpartition(" ")
    suite = get_suite(name)
    if str(suite.version) != version:
        raise PeabenchError(
            f"The results are of {label}, but version {suite.version} of it is installed; run the suite again and "
            "collect it."
        )
    return suite


def _stale(result: CellResult, cell: Cell) -> str:
    fields = [name for name in type(result.key).model_fields if getattr(result.key, name) != getattr(cell.key, name)]
    return (
        f"The result of {result.key.scorer} on {result.key.task} is not of what is installed: {' and '.join(fields)} "
        "differ; run it again and collect it."
    )


def _regraded(folder: Path, result: CellResult, cell: Cell) -> Iterable[str]:
    from peabench import tracks
    from peabench.tasks import load_task

    label = f"{result.key.track} {result.key.scorer} {result.key.task}"
    try:
        answers = read_answers(folder, result.key)
        if answers is None and not tracks.get(result.key.track).collects_answers:
            return []
        graded = grade_cell(result.key, load_task(cell.folder), answers or {})
    except PeabenchError as error:
        return [f"{label}: {error}"]
    return [
        f"{label}: question {index} is stored with {name} {stored[name]:.6f}, but its stored answer earns {value:.6f}."
        for index, (stored, now) in enumerate(zip(result.questions, graded, strict=False))
        for name, value in now.items()
        if name not in stored or abs(stored[name] - value) > REGRADED
    ] + ([] if len(graded) == len(result.questions) else [f"{label}: the stored answers are to other questions."])


def _run_again(result: CellResult, cell: Cell, alike: bool) -> Iterable[str]:
    label = f"{result.key.track} {result.key.scorer} {result.key.task}"
    now = run_cell(cell).result
    if now.status == "declined":
        return []  # the same code declines only for want of what is not installed here
    if now.status != "ok":
        return [f"{label}: it is stored with an answer, but now it {now.status}: {now.reason}"]
    problems = []
    gap = abs(now.metrics[SCORE] - result.metrics[SCORE])
    if gap > RECOMPUTED:
        problems.append(
            f"{label}: the stored score is {result.metrics[SCORE]:.6f}, but the code gives {now.metrics[SCORE]:.6f}."
        )
    if alike and now.answer_hash != result.answer_hash:
        problems.append(f"{label}: run again on the same platform, the answers differ from the stored ones.")
    if alike and _passes(now) != _passes(result):
        problems.append(f"{label}: run again on the same platform, it took {_passes(now)} passes, not as stored.")
    return problems


def _passes(result: CellResult) -> tuple[float, float] | None:
    return None if result.cost is None else (result.cost.forward_passes, result.cost.backward_passes)
