"""What scorers earn on the tasks that show an illusion: pure functions of results."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from peabench.boards import RowKey, row_key
from peabench.illusions.entries import Illusion
from peabench.results import SCORE, CellResult
from peabench.weights import RESAMPLES, bootstrap_means, interval

Scored = dict[str, float]
"""The score of a row of a board on each task; what was declined counts as chance, 0, and what failed is not there.

A row that answered nothing at all has no scores, as on a board.
"""


@dataclass(frozen=True)
class IllusionScore:
    """The mean over some illusions of the mean over their tasks."""

    score: float | None
    """None where a task has no result."""
    interval: tuple[float, float] | None
    """Bootstrap 95% interval over tasks, resampled within each illusion; None where an illusion has a single task."""
    answered: int
    asked: int
    """Tasks."""


@dataclass(frozen=True)
class IllusionRow:
    """One illusion: what the method that falls for it earns, there and on plain tasks, and what the truth earns."""

    illusion: Illusion
    shown: IllusionScore
    plain: IllusionScore
    oracle: IllusionScore

    def listing(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "illusion": self.illusion.model_dump(mode="json"),
            "score": asdict(self.shown),
            "plain": asdict(self.plain),
            "oracle": asdict(self.oracle),
        }


def illusion_scores(
    results: Sequence[CellResult], illusions: Iterable[Illusion], resamples: int = RESAMPLES, seed: int = 0
) -> dict[tuple[str, int, RowKey], IllusionScore]:
    """The illusion score of every row of every board: over the illusions of its track, each of which counts alike.

    Args:
        results: one per cell; results on tasks that show no illusion are passed over.
        illusions: of any track.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    by_track = defaultdict(list)
    for illusion in illusions:
        if illusion.scored:
            by_track[illusion.track].append(illusion.tasks)
    return {
        place: _over(scored, by_track[place[0]], resamples, seed)
        for place, scored in _scored(results).items()
        if by_track[place[0]]
    }


def illusion_rows(
    results: Sequence[CellResult], illusions: Iterable[Illusion], resamples: int = RESAMPLES, seed: int = 0
) -> list[IllusionRow]:
    """The table of illusions. Of several rows of one scorer the one with most results there counts."""
    scored = _scored(results)
    found = []
    for illusion in illusions:

        def of(scorer: str, tasks: tuple[str, ...], track: str = illusion.track) -> IllusionScore:
            rows = [some for (of_track, _, key), some in scored.items() if (of_track, key[0]) == (track, scorer)]
            best = max(rows, key=lambda some: len(some.keys() & set(tasks)), default={})
            return _over(best, [tasks] if tasks else [], resamples, seed)

        found.append(
            IllusionRow(
                illusion,
                of(illusion.method, illusion.tasks),
                of(illusion.method, illusion.plain),
                of("oracle", illusion.tasks),
            )
        )
    return found


def _scored(results: Iterable[CellResult]) -> dict[tuple[str, int, RowKey], Scored]:
    found: dict[tuple[str, int, RowKey], Scored] = defaultdict(dict)
    answered = set()
    for result in results:
        if result.status in ("ok", "declined"):
            place = result.key.track, result.key.track_version, row_key(result.key)
            found[place][result.key.task] = result.metrics[SCORE] if result.status == "ok" else 0.0
            if result.status == "ok":
                answered.add(place)
    return {place: scores for place, scores in found.items() if place in answered}


def _over(scored: Scored, groups: Sequence[tuple[str, ...]], resamples: int, seed: int) -> IllusionScore:
    """The mean over groups of the mean over their tasks."""
    tasks = [(number, task) for number, group in enumerate(groups) for task in group]
    answered = sum(task in scored for _, task in tasks)
    if not tasks or answered < len(tasks):
        return IllusionScore(None, None, answered, len(tasks))
    scores = np.array([[scored[task] for _, task in tasks]])
    weights = np.array([1 / (len(groups) * len(groups[number])) for number, _ in tasks])
    mean = float(scores[0] @ weights)
    if min(map(len, groups)) < 2:
        return IllusionScore(mean, None, answered, len(tasks))
    strata = [str(number) for number, _ in tasks]
    return IllusionScore(
        mean, interval(bootstrap_means(scores, strata, weights, resamples, seed)[0]), answered, len(tasks)
    )
