"""Standings: per track and scorer the score, its interval, its rank, coverage and cost, computed from results."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from peabench.boards import (
    Board,
    Cells,
    Row,
    RowKey,
    TaskKey,
    boards,
    counted,
    in_order,
    mean_score,
    planted_share,
    size_of,
    variant_of,
)
from peabench.errors import PeabenchError
from peabench.illusions import Illusion, IllusionScore, illusion_scores
from peabench.results import SCORE, CellResult, Verification
from peabench.scorers import Role
from peabench.weights import LEVEL, RESAMPLES, Array, interval

ABOVE_NULL = "above_null"
"""A metric that `by_metric` computes: the score above the best null of its task."""


@dataclass(frozen=True)
class Missing:
    """A task that a scorer was asked and has no score on."""

    task: str
    status: Literal["answered", "declined", "failed", "absent"]
    """`answered`: it is not graded. `absent`: there is no result, though another scorer of the track has one."""
    reason: str


@dataclass(frozen=True)
class Standing:
    """One scorer on one track."""

    track: str
    track_version: int
    scorer: str
    scorer_version: str
    source_hash: str
    role: Role
    verification: Verification
    """`verified` where all its results are."""
    seed: int
    device: str
    score: float | None
    """Mean over families of the mean over tasks, in which planted tasks weigh at most one half where there are others.
    A cell that the scorer declined counts as chance, 0; a failed or absent one is left out. None if no cell was
    answered."""
    interval: tuple[float, float] | None
    """Bootstrap 95% interval over tasks, resampled within their families; None where a family has a single task."""
    answered_score: float | None
    """The same mean over the answered tasks alone."""
    above_null: float | None
    """The score on the scale on which the best null of each task (random answers, a structural prior, outputs alone)
    earns 0; tasks that a null answers perfectly are left out."""
    families: dict[str, float]
    """Score over the tasks of each family of which any was answered, like the next four."""
    variants: dict[str, float]
    sizes: dict[str, float]
    """Over all tasks of a size. Sizes have different variants: `scale` compares like with like."""
    scale: dict[str, dict[str, float]]
    """Score by size of each `family/variant` that has several: the same kind of mechanism in growing networks."""
    provenances: dict[str, float]
    planted_share: float
    """What planted tasks weigh in the score."""
    rank: int | None
    """Place among the track's methods; None for references, and for a scorer with a failed or absent cell, or without
    an answer."""
    rank_interval: tuple[int, int] | None
    """95% interval of the rank over the same resamples."""
    coverage: float
    """Cells answered / cells asked."""
    answered: int
    asked: int
    declined: int
    failed: int
    missing: tuple[Missing, ...]
    """Every cell asked and not answered, with the reason."""
    forward_passes: float | None
    """Median over the answered cells, like the other costs."""
    backward_passes: float | None
    wall_seconds: float | None
    peak_memory_bytes: int | None
    illusions: IllusionScore | None = None
    """Over the tasks of its track that show an illusion; None where none is known."""

    @property
    def row_key(self) -> RowKey:
        """What tells its row of the board from others."""
        return self.scorer, self.scorer_version, self.source_hash, self.seed, self.device

    def listing(self) -> dict[str, Any]:
        """The row that `--json` prints: the costs under `cost`."""
        row = asdict(self)
        names = ("forward_passes", "backward_passes", "wall_seconds", "peak_memory_bytes")
        return row | {"cost": {name: row.pop(name) for name in names}}


def standings(
    results: Sequence[CellResult], resamples: int = RESAMPLES, seed: int = 0, illusions: Sequence[Illusion] = ()
) -> list[Standing]:
    """The standings of some results (one per cell), ordered by track, and by score within it.

    A scorer is asked every task that any scorer of its track has a result for, so that a missing file lowers coverage.
    Results of another version, seed or device make a row of their own, and a task whose content has changed is another
    task: old results never mix with new ones.

    Args:
        results: at least one per cell asked, failures among them.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        illusions: whose tasks the illusion scores are over.
    """
    fooled = illusion_scores(results, illusions, resamples, seed)
    return [
        replace(row, illusions=fooled.get((row.track, row.track_version, row.row_key)))
        for board in boards(results)
        for row in _track_standings(board, resamples, seed)
    ]


def labels(rows: Sequence[Standing]) -> list[str]:
    """Names of a board's rows: the scorer, and what tells its row from the others."""
    seeds, devices = {row.seed for row in rows}, {row.device for row in rows}

    def label(row: Standing) -> str:
        versions = {other.scorer_version for other in rows if other.scorer == row.scorer}
        alike = [other for other in rows if (other.scorer, other.scorer_version) == (row.scorer, row.scorer_version)]
        sources = {other.source_hash for other in alike}
        told = [f"version {row.scorer_version}"] * (len(versions) > 1) + [f"source {row.source_hash[:8]}"] * (
            len(sources) > 1
        )
        told += [f"seed {row.seed}"] * (len(seeds) > 1) + [row.device] * (len(devices) > 1)
        return f"{row.scorer} ({', '.join(told)})" if told else row.scorer

    return [label(row) for row in rows]


def by_metric(results: Sequence[CellResult], metric: str) -> list[CellResult]:
    """Results with another of their metrics in the score's place: those of the tracks that have it.

    `above_null` is the score on the scale on which the best null of the task earns 0, on tracks with nulls. Tasks that
    a null answers perfectly are left out, as nothing can be above it; a scorer that declines a task adds nothing there.

    Raises:
        PeabenchError: no result has such a metric.
    """
    if metric == SCORE:
        return list(results)
    if metric == ABOVE_NULL:
        return _above_nulls(results)
    tracks = {result.key.track for result in results if metric in result.metrics}
    if not tracks:
        known = ", ".join([*sorted({name for result in results for name in result.metrics}), ABOVE_NULL])
        raise PeabenchError(f"No result has the metric {metric!r}; the metrics here are {known}.")
    found = []
    for result in results:
        if result.key.track not in tracks:
            continue
        update: dict[str, object] = {}
        if metric in result.metrics:
            update = {"metrics": result.metrics | {SCORE: result.metrics[metric]}}
        elif result.status == "ok":
            update = {"status": "failed", "reason": f"no {metric}"}
        elif result.status == "declined":  # chance may be another number than 0
            update = {"status": "failed"}
        found.append(result.model_copy(update=update))
    return found


def told_by_a_null(results: Sequence[CellResult]) -> dict[str, int]:
    """For each track that has such, how many of its tasks a null answers perfectly."""
    found = {board.track: sum(null >= 1 for null in _nulls(board).values()) for board in boards(results)}
    return {track: count for track, count in found.items() if count}


def places(scores: Float[Array, "scorer resample"]) -> Float[Array, "scorer resample"]:
    """Place of each scorer, 1 + how many are better."""
    rounded = np.round(scores, 9)  # equal scores share a place, whatever the order of their sums
    return 1 + np.stack([(rounded > row).sum(axis=0) for row in rounded])


def _track_standings(board: Board, resamples: int, seed: int) -> list[Standing]:
    draws = board.draws(resamples, seed)
    ranks = _ranks(board, draws)
    nulls = _nulls(board)
    found = [_standing(board, row, draws[row.key], ranks.get(row.key, (None, None)), nulls) for row in board.rows]
    return sorted(found, key=lambda row: (row.score is None, -(row.score or 0.0), row.scorer, row.scorer_version))


def _nulls(board: Board) -> dict[TaskKey, float]:
    """The best score of a null on each task, at least 0."""
    nulls: dict[TaskKey, float] = {}
    for row in board.rows:
        for task, result in row.answered.items():
            if result.role == "null":
                nulls[task] = max(nulls.get(task, 0.0), result.metrics[SCORE])
    return nulls


def _above_nulls(results: Sequence[CellResult]) -> list[CellResult]:
    """The results on tasks with a null below 1, their scores above the best one; failures as they are."""
    found = []
    for board in boards(results):
        nulls = _nulls(board)
        for row in board.rows:
            found += _above(row.cells, nulls)
    return found


def _above(cells: Cells, nulls: Mapping[TaskKey, float]) -> list[CellResult]:
    """Cells with (score - null) / (1 - null) as their scores, those left out whose null is perfect or missing."""
    found = []
    for task, result in cells.items():
        null = nulls.get(task, 1.0)
        if null < 1 and result.status == "ok":
            above = (result.metrics[SCORE] - null) / (1 - null)
            found.append(result.model_copy(update={"metrics": result.metrics | {SCORE: above}}))
        elif null < 1:
            found.append(result)
    return found


def _by(cells: Sequence[CellResult], label: Callable[[CellResult], str]) -> dict[str, float]:
    """Score over the cells of each label, of which any was answered."""
    groups = defaultdict(list)
    for result in cells:
        groups[label(result)].append(result)
    scores = {name: mean_score(counted(found)) for name, found in sorted(groups.items(), key=in_order)}
    return {name: score for name, score in scores.items() if score is not None}


def _scale(cells: Sequence[CellResult]) -> dict[str, dict[str, float]]:
    groups = defaultdict(list)
    for result in cells:
        if size_of(result.key.task):
            groups[f"{result.key.family}/{variant_of(result.key.task)}"].append(result)
    curves = {name: _by(found, lambda result: size_of(result.key.task)) for name, found in sorted(groups.items())}
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def _missing(board: Board, row: Row) -> tuple[Missing, ...]:
    found = []
    for task in board.asked:
        result = row.cells.get(task)
        if result is None:
            found.append(Missing(task[0], "absent", "There is no result."))
        elif result.status != "ok":
            found.append(Missing(task[0], result.status, result.reason))
    return tuple(found)


def _ranks(
    board: Board, draws: Mapping[Any, Float[Array, " resample"] | None]
) -> dict[Any, tuple[int, tuple[int, int] | None]]:
    """Rank of each method (1 + how many are better) and its interval over the shared draws."""
    if not board.ranked:
        return {}
    keys = [row.key for row in board.ranked]
    now = places(np.array([[row.score] for row in board.ranked]))[:, 0]
    sampled = [found for key in keys if (found := draws[key]) is not None]
    if len(sampled) < len(keys):
        return {key: (int(place), None) for key, place in zip(keys, now, strict=True)}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(places(np.stack(sampled)), [tail, 1 - tail], axis=1, method="inverted_cdf")
    return {key: (int(now[i]), (int(low[i]), int(high[i]))) for i, key in enumerate(keys)}


def _standing(
    board: Board,
    row: Row,
    draws: Float[Array, " resample"] | None,
    rank: tuple[int | None, tuple[int, int] | None],
    nulls: Mapping[TaskKey, float],
) -> Standing:
    first = next(iter(row.cells.values()))
    cells, over = list(row.answered.values()), list(row.counted.values())
    costs = [result.cost for result in cells if result.cost is not None]
    statuses = [result.status for result in row.cells.values()]
    return Standing(
        track=board.track,
        track_version=board.version,
        scorer=first.key.scorer,
        scorer_version=first.key.scorer_version,
        source_hash=first.key.source_hash,
        role=first.role,
        verification="verified" if all(c.verification == "verified" for c in row.cells.values()) else "self-reported",
        seed=first.key.seed,
        device=first.key.device,
        score=row.score,
        interval=None if draws is None else interval(draws),
        answered_score=mean_score(cells),
        above_null=mean_score(counted(_above(row.cells, nulls))),
        families=_by(over, lambda result: result.key.family),
        variants=_by(over, lambda result: variant_of(result.key.task)),
        sizes=_by(over, lambda result: size_of(result.key.task)),
        scale=_scale(over),
        provenances=_by(over, lambda result: result.provenance),
        planted_share=planted_share(over),
        rank=rank[0],
        rank_interval=rank[1],
        coverage=len(cells) / len(board.asked),
        answered=len(cells),
        asked=len(board.asked),
        declined=statuses.count("declined"),
        failed=statuses.count("failed"),
        missing=_missing(board, row),
        forward_passes=median(cost.forward_passes for cost in costs) if costs else None,
        backward_passes=median(cost.backward_passes for cost in costs) if costs else None,
        wall_seconds=median(cost.wall_seconds for cost in costs) if costs else None,
        peak_memory_bytes=int(median(cost.peak_memory_bytes for cost in costs)) if costs else None,
    )
