"""A track's results in order: one row per scorer, and the sets of tasks that rows are compared on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from peabench.results import SCORE, CellKey, CellResult
from peabench.scorers import Role
from peabench.weights import PLANTED, Array, bootstrap_means, task_weights

SIZES = ("xs", "s", "m", "l", "xl")
ILLUSIONS = "illusions"
"""The suite that cuts across tracks: what is earned on it stands beside a track's score, not in it."""

TaskKey = tuple[str, str]
"""Task id and content hash: a task whose content has changed is another task."""
Cells = dict[TaskKey, CellResult]
RowKey = tuple[str, str, str, int, str]
"""Scorer, its version, its source hash, seed and device."""


@dataclass(frozen=True)
class Row:
    """The results of one scorer, with one seed on one device."""

    key: RowKey
    cells: Cells

    @cached_property
    def answered(self) -> Cells:
        """The cells that have a score."""
        return {task: result for task, result in sorted(self.cells.items()) if result.status == "ok"}

    @cached_property
    def counted(self) -> Cells:
        """The cells that its score is over: see `counted`."""
        cells = [result for _, result in sorted(self.cells.items())]
        return {(result.key.task, result.key.content_hash): result for result in counted(cells)}

    @property
    def role(self) -> Role:
        """Of its scorer."""
        return next(iter(self.cells.values())).role

    @cached_property
    def score(self) -> float | None:
        """Weighted mean over the counted tasks; None if there are none."""
        return mean_score(list(self.counted.values()))


@dataclass(frozen=True)
class Board:
    """All rows of a track."""

    track: str
    version: int
    rows: tuple[Row, ...]

    @cached_property
    def asked(self) -> list[TaskKey]:
        """Every task that any scorer of the track has a result for."""
        return sorted({task for row in self.rows for task in row.cells})

    @cached_property
    def ranked(self) -> list[Row]:
        """The methods whose score is over everything asked."""
        return [row for row in self.rows if row.role == "method" and len(row.counted) == len(self.asked)]

    def draws(self, resamples: int, seed: int) -> dict[RowKey, Float[Array, " resample"] | None]:
        """Bootstrap means of every row's score, paired between rows with the same tasks.

        None for a row with a single task of a family, or with none at all.
        """
        alike: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in self.rows:
            alike[tuple((task, stratum(cell)) for task, cell in row.counted.items())].append(row)
        found: dict[RowKey, Float[Array, " resample"] | None] = {}
        for rows in alike.values():
            cells = list(rows[0].counted.values())
            strata = [stratum(cell) for cell in cells]
            if min((strata.count(name) for name in set(strata)), default=0) < 2:
                found |= {row.key: None for row in rows}
                continue
            scores = np.stack([scores_of(list(row.counted.values())) for row in rows])
            drawn = bootstrap_means(scores, strata, weights_of(cells), resamples, seed)
            found |= {row.key: draws for row, draws in zip(rows, drawn, strict=True)}
        return found


def boards(results: Sequence[CellResult]) -> list[Board]:
    """A board for each track and version of it.

    Results of another version, seed or device make a row of their own. Results of a run on the suite of illusions are
    left out of a track that has others.
    """
    tracks: dict[tuple[str, int], dict[RowKey, Cells]] = defaultdict(lambda: defaultdict(dict))
    across = [result.suite.rpartition(" ")[0] == ILLUSIONS for result in results]
    others = {result.key.track for result, apart in zip(results, across, strict=True) if not apart}
    for result, apart in zip(results, across, strict=True):
        key = result.key
        if not apart or key.track not in others:
            tracks[key.track, key.track_version][row_key(key)][key.task, key.content_hash] = result
    return [
        Board(track, version, tuple(Row(key, cells) for key, cells in sorted(rows.items())))
        for (track, version), rows in sorted(tracks.items())
    ]


def row_key(key: CellKey) -> RowKey:
    """Of the row that a result belongs to."""
    return key.scorer, key.scorer_version, key.source_hash, key.seed, key.device


def counted(cells: Sequence[CellResult]) -> list[CellResult]:
    """The cells that a score is over: the answered ones and, as chance, those that the scorer declined.

    A failed cell is not among them, as what it would have earned is not known. Where nothing was answered, none is.
    """
    kept = [cell for cell in cells if cell.status in ("ok", "declined")]
    return kept if any(cell.status == "ok" for cell in kept) else []


def mean_score(cells: Sequence[CellResult]) -> float | None:
    """The mean over families of the mean over tasks, in which planted tasks weigh at most one half.

    None where there are no cells.
    """
    return float(weights_of(cells) @ scores_of(cells)) if cells else None


def scores_of(cells: Sequence[CellResult]) -> Float[Array, " task"]:
    """The score of each cell: what chance earns, 0, where it was declined."""
    return np.array([cell.metrics[SCORE] if cell.status == "ok" else 0.0 for cell in cells])


def weights_of(cells: Sequence[CellResult]) -> Float[Array, " task"]:
    """What each cell weighs among these."""
    return task_weights([cell.key.family for cell in cells], [cell.provenance for cell in cells])


def planted_share(cells: Sequence[CellResult]) -> float:
    """What planted tasks weigh among these."""
    return float(sum(w for w, cell in zip(weights_of(cells), cells, strict=True) if cell.provenance == PLANTED))


def stratum(cell: CellResult) -> str:
    """Of the bootstrap: the family and provenance of the cell's task."""
    return f"{cell.key.family} {cell.provenance}"


def variant_of(task: str) -> str:
    """The part of a task's id between its family and its size.

    >>> variant_of("boolean/tree-s-0"), size_of("boolean/tree-s-0"), seed_of("boolean/tree-s-0")
    ('tree', 's', '0')
    """
    return task.partition("/")[2].rsplit("-", 2)[0]


def size_of(task: str) -> str:
    """The size in a task's id; empty where the id has none."""
    parts = task.partition("/")[2].rsplit("-", 2)
    return parts[1] if len(parts) == 3 else ""


def seed_of(task: str) -> str:
    """The seed that ends a task's id."""
    return task.partition("/")[2].rpartition("-")[2]


def in_order(group: tuple[str, object]) -> tuple[int, str]:
    """Sorts named groups: sizes from small to large, all else by name."""
    name = group[0]
    return (SIZES.index(name) if name in SIZES else len(SIZES), name)
