"""What a site shows: boards of rows over tasks, joined with what is known of the scorers and the tasks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from peabench import boards
from peabench.boards import SIZES, TaskKey, counted, mean_score, size_of, variant_of
from peabench.catalogue import TaskSummary, content_hash
from peabench.discovery import ScorerEntry
from peabench.illusions import Illusion, IllusionRow, illusion_rows
from peabench.results import SCORE, CellKey, CellResult
from peabench.stability import Stability, stability
from peabench.standings import Standing, labels, standings
from peabench_leaderboard.site.slugs import slug

AnswersReader = Callable[[CellKey], list[dict[str, Any]] | None]
"""The stored answers of a cell, one mapping from field to value per question; None where none are stored."""


@dataclass(frozen=True)
class TaskPlace:
    """A task that results speak of."""

    id: str
    content_hash: str
    summary: TaskSummary | None
    """None where it is not installed, or installed with another content."""
    stated_provenance: str = ""
    """What the results say of it."""

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
        return variant_of(self.id)

    @property
    def size(self) -> str:
        """The part of the id before the seed."""
        return size_of(self.id)

    @property
    def provenance(self) -> str:
        """`constructed`, `planted` or `derived`; `unknown` where neither the task nor its results say."""
        return self.summary.provenance if self.summary else self.stated_provenance or "unknown"

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
    stability: Stability
    tasks: tuple[TaskPlace, ...]
    rows: tuple[Row, ...]

    @property
    def key(self) -> str:
        """An id that no other board has."""
        return slug(f"{self.track}-{self.version}").replace("~", "-")

    @property
    def in_passes(self) -> bool:
        """Whether answers cost passes; questions without a network cost none, and time tells more."""
        return any(row.passes for row in self.rows)

    @property
    def beside(self) -> bool:
        """Whether illusion scores stand beside the track's."""
        return any(row.standing.illusions is not None and row.standing.illusions.score is not None for row in self.rows)


@dataclass(frozen=True)
class Contents:
    """All that the pages are made from."""

    boards: tuple[Board, ...]
    commit: str
    """What the results were made from, for people."""
    illusions: tuple[IllusionRow, ...] = ()
    """Those of which there are results."""

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
    illusions: Sequence[Illusion] = (),
) -> Contents:
    """Join results with what is installed.

    Args:
        results: one per cell.
        installed: tasks.
        scorers: what is known of them; a scorer of results that is not among them has a row all the same.
        headlines: what each track's score measures.
        commit: what the results were made from.
        illusions: that scorers may fall for.
    """
    summaries = {task.id: task for task in installed}
    hashes = {id: content_hash(summaries[id].folder) for id in {result.key.task for result in results} & set(summaries)}
    known = {(entry.track, entry.name): entry for entry in scorers}
    listed: dict[tuple[str, int], list[Standing]] = defaultdict(list)
    for standing in standings(results, illusions=illusions):
        listed[standing.track, standing.track_version].append(standing)
    firmness = {(found.track, found.track_version): found for found in stability(results)}

    def board(found: boards.Board) -> Board:
        rows_of = {row.key: row for row in found.rows}
        ordered = listed[found.track, found.version]
        rows = tuple(
            Row(standing, rows_of[standing.row_key].cells, known.get((found.track, standing.scorer)), label)
            for standing, label in zip(ordered, labels(ordered), strict=True)
        )
        stated = {key: cell.provenance for row in found.rows for key, cell in row.cells.items()}
        places = [
            TaskPlace(id, digest, summaries[id] if hashes.get(id) == digest else None, provenance)
            for (id, digest), provenance in stated.items()
        ]
        return Board(
            found.track,
            found.version,
            headlines.get(found.track, ""),
            firmness[found.track, found.version],
            tuple(sorted(places, key=_place_order)),
            rows,
        )

    fooled = tuple(row for row in illusion_rows(results, illusions) if row.shown.score is not None)
    return Contents(tuple(map(board, boards.boards(results))), commit, fooled)


def mean_by(row: Row, places: Iterable[TaskPlace], attribute: str) -> dict[str, float]:
    """The board's mean over the tasks that share a value of an attribute of `TaskPlace`, if any was answered."""
    groups: dict[str, list[CellResult]] = defaultdict(list)
    for place in places:
        if place.key in row.cells:
            groups[getattr(place, attribute)].append(row.cells[place.key])
    means = {value: mean_score(counted(cells)) for value, cells in groups.items()}
    return {value: mean for value, mean in means.items() if mean is not None}


def _place_order(place: TaskPlace) -> tuple[Any, ...]:
    return *task_order(place), place.content_hash
