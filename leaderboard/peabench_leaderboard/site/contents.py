"""What a site shows: boards of rows over tasks, joined with what is known of the scorers and the tasks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peabench.boards import mean_score
from peabench.catalogue import TaskSummary, content_hash
from peabench.discovery import ScorerEntry
from peabench.results import SCORE, CellKey, CellResult
from peabench.standings import Standing, standings
from peabench_leaderboard.site.slugs import slug

SIZES = ("xs", "s", "m", "l", "xl")

TaskKey = tuple[str, str]
"""Id and content hash: a task whose content has changed is another task."""
AnswersReader = Callable[[CellKey], list[dict[str, Any]] | None]
"""The stored answers of a cell, one mapping from field to value per question; None where none are stored."""


@dataclass(frozen=True)
class TaskPlace:
    """A task that results speak of."""

    id: str
    content_hash: str
    summary: TaskSummary | None
    """None where it is not installed, or installed with another content."""

    @property
    def key(self) -> TaskKey:
        """What results know it by."""
        return self.id, self.content_hash

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def variant(self) -> str:
        """What is behind the slash, without size and seed."""
        return self.id.partition("/")[2].rsplit("-", 2)[0]

    @property
    def size(self) -> str:
        """The part of the id before the seed."""
        return (["", *self.id.rsplit("-", 2)])[-2] if self.id.count("-") > 1 else ""

    @property
    def provenance(self) -> str:
        """`constructed`, `planted` or `derived`; `unknown` of a task that is not installed."""
        return self.summary.provenance if self.summary else "unknown"

    @property
    def page(self) -> str | None:
        """Its page, from the site's root."""
        return f"task/{slug(self.id)}.html" if self.summary else None


@dataclass(frozen=True)
class Row:
    """One scorer on one board."""

    standing: Standing
    cells: Mapping[TaskKey, CellResult]
    entry: ScorerEntry | None
    """What the scorer declares of itself, where it is installed."""
    label: str
    verified: bool

    @property
    def name(self) -> str:
        """The scorer's name."""
        return self.standing.scorer

    @property
    def page(self) -> str:
        """The scorer's page, from the site's root."""
        return f"scorer/{slug(self.name)}.html"

    @cached_property
    def scores(self) -> dict[TaskKey, float]:
        """The score of every cell that was answered."""
        return {key: cell.metrics[SCORE] for key, cell in self.cells.items() if cell.status == "ok"}

    @property
    def passes(self) -> float | None:
        """Forward and backward example-passes of the median cell."""
        one, other = self.standing.forward_passes, self.standing.backward_passes
        return None if one is None or other is None else one + other


@dataclass(frozen=True)
class Board:
    """One track's standings."""

    track: str
    version: int
    headline: str
    tasks: tuple[TaskPlace, ...]
    rows: tuple[Row, ...]

    @property
    def key(self) -> str:
        """An id that no other board has."""
        return slug(f"{self.track}-{self.version}").replace("~", "-")


@dataclass(frozen=True)
class Contents:
    """All that the pages are made from."""

    boards: tuple[Board, ...]
    commit: str
    """What the results were made from, for people."""

    @cached_property
    def tasks(self) -> tuple[TaskPlace, ...]:
        """The tasks of all boards by family, variant, size and seed; each id once, as it is installed if it is."""
        found: dict[str, TaskPlace] = {}
        for place in (place for board in self.boards for place in board.tasks):
            if place.id not in found or found[place.id].summary is None:
                found[place.id] = place
        return tuple(sorted(found.values(), key=task_order))

    @cached_property
    def scorers(self) -> tuple[str, ...]:
        """The names of all scorers."""
        return tuple(sorted({row.name for board in self.boards for row in board.rows}))

    def rows_of(self, scorer: str) -> list[tuple[Board, Row]]:
        """A scorer's rows on all boards."""
        return [(board, row) for board in self.boards for row in board.rows if row.name == scorer]


def task_order(place: TaskPlace) -> tuple[Any, ...]:
    """Sort key: family, variant, size from small to large, id."""
    return place.family, place.variant, size_order(place.size), place.id


def size_order(size: str) -> tuple[int, str]:
    """Sort key of sizes: xs to xl, then any other by name."""
    return (SIZES.index(size) if size in SIZES else len(SIZES), size)


def gather(
    results: Sequence[CellResult],
    installed: Iterable[TaskSummary],
    scorers: Iterable[ScorerEntry],
    headlines: Mapping[str, str],
    commit: str,
    verified: bool,
) -> Contents:
    """Join results with what is installed.

    Args:
        results: one per cell.
        installed: tasks.
        scorers: what is known of them; a scorer of results that is not among them has a row all the same.
        headlines: what each track's score measures.
        commit: what the results were made from.
        verified: whether somebody other than the results' author has checked them.
    """
    summaries = {task.id: task for task in installed}
    hashes = {id: content_hash(summaries[id].folder) for id in {result.key.task for result in results} & set(summaries)}
    known = {(entry.track, entry.name): entry for entry in scorers}
    boards: dict[tuple[str, int], list[Standing]] = defaultdict(list)
    for standing in standings(results):
        boards[standing.track, standing.track_version].append(standing)
    cells_of = _cells_by_row(results)

    def board(track: str, version: int, found: list[Standing]) -> Board:
        rows = [
            Row(
                standing=standing,
                cells=_cells(standing, cells_of),
                entry=known.get((track, standing.scorer)),
                label=_label(standing, found),
                verified=verified,
            )
            for standing in found
        ]
        keys = {key for row in rows for key in row.cells}
        places = [TaskPlace(id, digest, summaries[id] if hashes.get(id) == digest else None) for id, digest in keys]
        return Board(track, version, headlines.get(track, ""), tuple(sorted(places, key=_place_order)), tuple(rows))

    return Contents(tuple(board(*key, found) for key, found in sorted(boards.items())), commit)


def mean_by(row: Row, places: Iterable[TaskPlace], attribute: str) -> dict[str, float]:
    """The board's mean over the answered tasks that share a value of an attribute of `TaskPlace`."""
    groups: dict[str, list[CellResult]] = defaultdict(list)
    for place in places:
        if place.key in row.scores:
            groups[getattr(place, attribute)].append(row.cells[place.key])
    means = {value: mean_score(cells) for value, cells in groups.items()}
    return {value: mean for value, mean in means.items() if mean is not None}


_RowKey = tuple[str, int, str, str, int, str]


def _cells_by_row(results: Iterable[CellResult]) -> dict[_RowKey, list[dict[TaskKey, CellResult]]]:
    """Cells by what a standing says of its row; several groups where only a scorer's source differs."""
    groups: dict[tuple[_RowKey, str], dict[TaskKey, CellResult]] = defaultdict(dict)
    for result in results:
        key = result.key
        row = (key.track, key.track_version, key.scorer, key.scorer_version, key.seed, key.device)
        groups[row, key.source_hash][key.task, key.content_hash] = result
    found: dict[_RowKey, list[dict[TaskKey, CellResult]]] = defaultdict(list)
    for (row, _), cells in sorted(groups.items(), key=lambda item: item[0]):
        found[row].append(cells)
    return found


def _cells(standing: Standing, cells_of: dict[_RowKey, list[dict[TaskKey, CellResult]]]) -> dict[TaskKey, CellResult]:
    """The cells that a standing was computed from; each group is handed out once."""
    groups = cells_of[
        standing.track,
        standing.track_version,
        standing.scorer,
        standing.scorer_version,
        standing.seed,
        standing.device,
    ]

    def distance(cells: dict[TaskKey, CellResult]) -> float:
        answered = [cell for cell in cells.values() if cell.status == "ok"]
        return abs(len(answered) - standing.answered) + abs((mean_score(answered) or 0.0) - (standing.score or 0.0))

    return groups.pop(min(range(len(groups)), key=lambda i: distance(groups[i])))


def _label(standing: Standing, beside: Sequence[Standing]) -> str:
    """The scorer's name, and what tells its row from others of the same name."""
    same = [other for other in beside if other.scorer == standing.scorer]
    told = [
        text
        for text, values in (
            (f"version {standing.scorer_version}", {other.scorer_version for other in same}),
            (f"seed {standing.seed}", {other.seed for other in beside}),
            (standing.device, {other.device for other in beside}),
        )
        if len(values) > 1
    ]
    return f"{standing.scorer} ({', '.join(told)})" if told else standing.scorer


def _place_order(place: TaskPlace) -> tuple[Any, ...]:
    return *task_order(place), place.content_hash
