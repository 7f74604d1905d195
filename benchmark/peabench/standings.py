"""Standings: per track and scorer the score, its interval, its rank, coverage and cost, computed from results."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float

from peabench.errors import PeabenchError
from peabench.results import SCORE, CellResult
from peabench.scorers import Role

RESAMPLES = 10_000
LEVEL = 0.95

Array = np.ndarray[Any, np.dtype[Any]]
Cells = dict[tuple[str, str], CellResult]
"""Results by task id and content hash."""
RowKey = tuple[str, str, str, int, str]


@dataclass(frozen=True)
class Standing:
    """One scorer on one track."""

    track: str
    track_version: int
    scorer: str
    scorer_version: str
    role: Role
    seed: int
    device: str
    score: float | None
    """Mean over families of the mean over tasks, of the cells that were answered; None if none was."""
    interval: tuple[float, float] | None
    """Bootstrap 95% interval over tasks, resampled within their families; None where a family has a single task."""
    above_null: float | None
    """The same on the scale on which the best null of each task (random answers, a structural prior) earns 0."""
    variants: dict[str, float]
    """Mean score over the answered tasks of each variant."""
    rank: int | None
    """Place among the track's methods; None for references, and for a scorer that did not answer every cell."""
    rank_interval: tuple[int, int] | None
    """95% interval of the rank over the same resamples."""
    coverage: float
    """Cells answered / cells asked."""
    answered: int
    asked: int
    declined: int
    failed: int
    forward_passes: float | None
    """Median over the answered cells, like the other costs."""
    backward_passes: float | None
    wall_seconds: float | None
    peak_memory_bytes: int | None

    def listing(self) -> dict[str, Any]:
        """The row that `--json` prints: the costs under `cost`."""
        row = asdict(self)
        names = ("forward_passes", "backward_passes", "wall_seconds", "peak_memory_bytes")
        return row | {"cost": {name: row.pop(name) for name in names}}


def standings(results: Sequence[CellResult], resamples: int = RESAMPLES, seed: int = 0) -> list[Standing]:
    """The standings of some results (one per cell), ordered by track, and by score within it.

    A scorer is asked every task that any scorer of its track has a result for, so that a missing file lowers coverage.
    Results of another version, seed or device make a row of their own, and a task whose content has changed is another
    task: old results never mix with new ones.

    Args:
        results: at least one per cell asked, failures among them.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    tracks: dict[tuple[str, int], dict[RowKey, Cells]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        key = result.key
        row = (key.scorer, key.scorer_version, key.source_hash, key.seed, key.device)
        tracks[key.track, key.track_version][row][key.task, key.content_hash] = result
    return [row for track in sorted(tracks) for row in _track_standings(tracks[track], resamples, seed)]


def by_metric(results: Sequence[CellResult], metric: str) -> list[CellResult]:
    """Results with another of their metrics in the score's place: those of the tracks that have it.

    Raises:
        PeabenchError: no result has such a metric.
    """
    if metric == SCORE:
        return list(results)
    tracks = {result.key.track for result in results if metric in result.metrics}
    if not tracks:
        known = ", ".join(sorted({name for result in results for name in result.metrics}))
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
        found.append(result.model_copy(update=update))
    return found


def bootstrap_means(
    scores: Float[Array, "scorer task"], families: Sequence[str], resamples: int, seed: int
) -> Float[Array, "scorer resample"]:
    """Means over families of the mean over tasks, with the tasks of each family drawn anew with replacement.

    All scorers see the same draws, so that their differences are paired.
    """
    generator = np.random.default_rng(seed)
    names = np.asarray(families)
    total = np.zeros((len(scores), resamples))
    strata = sorted(set(families))
    for family in strata:
        members = np.flatnonzero(names == family)
        times_drawn = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
        total += scores[:, members] @ times_drawn.T / len(members)
    return total / len(strata)


def family_mean(scores: Iterable[float], families: Iterable[str]) -> float:
    """The mean over families of the mean over tasks."""
    by_family = defaultdict(list)
    for score, family in zip(scores, families, strict=True):
        by_family[family].append(score)
    return float(np.mean([np.mean(found) for found in by_family.values()]))


def _track_standings(rows: Mapping[RowKey, Cells], resamples: int, seed: int) -> list[Standing]:
    asked = {task for cells in rows.values() for task in cells}
    answered = {
        key: {task: result for task, result in cells.items() if result.status == "ok"} for key, cells in rows.items()
    }
    draws = {key: _draws(cells, resamples, seed) for key, cells in answered.items()}
    ranked = [
        key
        for key, cells in rows.items()
        if next(iter(cells.values())).role == "method" and len(answered[key]) == len(asked)
    ]
    ranks = _ranks(ranked, answered, draws)
    nulls = _nulls(answered)
    found = [
        _standing(cells, answered[key], len(asked), draws[key], ranks.get(key, (None, None)), nulls)
        for key, cells in rows.items()
    ]
    return sorted(found, key=lambda row: (row.score is None, -(row.score or 0.0), row.scorer, row.scorer_version))


def _nulls(answered: Mapping[RowKey, Cells]) -> dict[tuple[str, str], float]:
    """The best score of a null on each task, at least 0."""
    nulls: dict[tuple[str, str], float] = {}
    for cells in answered.values():
        for task, result in cells.items():
            if result.role == "null":
                nulls[task] = max(nulls.get(task, 0.0), result.metrics[SCORE])
    return nulls


def _above(cells: Cells, nulls: Mapping[tuple[str, str], float]) -> float | None:
    """Mean of (score - null) / (1 - null); None where a task has no null to compare with or a perfect one."""
    if not cells or any(nulls.get(task, 1.0) >= 1.0 for task in cells):
        return None
    scores = [(result.metrics[SCORE] - nulls[task]) / (1 - nulls[task]) for task, result in cells.items()]
    return family_mean(scores, (result.key.family for result in cells.values()))


def _by_variant(cells: Cells) -> dict[str, float]:
    """Mean score of each variant: the part of the id between the family and the size."""
    found = defaultdict(list)
    for result in cells.values():
        found[result.key.task.partition("/")[2].rsplit("-", 2)[0]].append(result.metrics[SCORE])
    return {variant: float(np.mean(scores)) for variant, scores in sorted(found.items())}


def _draws(cells: Cells, resamples: int, seed: int) -> Float[Array, " resample"] | None:
    """Bootstrap means of one scorer; the same draws for every scorer with the same tasks."""
    tasks = sorted(cells)
    families = [cells[task].key.family for task in tasks]
    if not tasks or min(families.count(family) for family in set(families)) < 2:
        return None
    scores = np.array([[cells[task].metrics[SCORE] for task in tasks]])
    draws: Float[Array, " resample"] = bootstrap_means(scores, families, resamples, seed)[0]
    return draws


def _interval(draws: Float[Array, " resample"]) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _ranks(
    keys: Sequence[RowKey],
    answered: Mapping[RowKey, Cells],
    draws: Mapping[RowKey, Float[Array, " resample"] | None],
) -> dict[RowKey, tuple[int, tuple[int, int] | None]]:
    """Rank of each scorer (1 + how many are better) and its interval over the shared draws."""
    if not keys:
        return {}
    places = _places(np.array([[_score(answered[key])] for key in keys]))[:, 0]
    sampled = [row for key in keys if (row := draws[key]) is not None]
    if len(sampled) < len(keys):
        return {key: (int(place), None) for key, place in zip(keys, places, strict=True)}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(_places(np.stack(sampled)), [tail, 1 - tail], axis=1, method="inverted_cdf")
    return {key: (int(places[i]), (int(low[i]), int(high[i]))) for i, key in enumerate(keys)}


def _places(scores: Float[Array, "scorer resample"]) -> Float[Array, "scorer resample"]:
    rounded = np.round(scores, 9)  # equal scores share a place, whatever the order of their sums
    return 1 + np.stack([(rounded > row).sum(axis=0) for row in rounded])


def _score(cells: Cells) -> float:
    return family_mean((r.metrics[SCORE] for r in cells.values()), (r.key.family for r in cells.values()))


def _standing(
    cells: Cells,
    answered: Cells,
    asked: int,
    draws: Float[Array, " resample"] | None,
    rank: tuple[int | None, tuple[int, int] | None],
    nulls: Mapping[tuple[str, str], float],
) -> Standing:
    first = next(iter(cells.values()))
    costs = [result.cost for result in answered.values() if result.cost is not None]
    statuses = [result.status for result in cells.values()]
    return Standing(
        track=first.key.track,
        track_version=first.key.track_version,
        scorer=first.key.scorer,
        scorer_version=first.key.scorer_version,
        role=first.role,
        seed=first.key.seed,
        device=first.key.device,
        score=_score(answered) if answered else None,
        interval=None if draws is None else _interval(draws),
        above_null=_above(answered, nulls),
        variants=_by_variant(answered),
        rank=rank[0],
        rank_interval=rank[1],
        coverage=len(answered) / asked,
        answered=len(answered),
        asked=asked,
        declined=statuses.count("declined"),
        failed=statuses.count("failed"),
        forward_passes=median(cost.forward_passes for cost in costs) if costs else None,
        backward_passes=median(cost.backward_passes for cost in costs) if costs else None,
        wall_seconds=median(cost.wall_seconds for cost in costs) if costs else None,
        peak_memory_bytes=int(median(cost.peak_memory_bytes for cost in costs)) if costs else None,
    )
