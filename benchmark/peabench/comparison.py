"""Two scorers of a track against each other, task by task."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float

from peabench.boards import in_order, size_of, stratum, variant_of
from peabench.errors import PeabenchError
from peabench.registry import suggestion
from peabench.results import SCORE, CellResult
from peabench.stability import TIE, resolved
from peabench.weights import RESAMPLES, Array, bootstrap_means, interval, task_weights

CellPlace = tuple[str, str, int, str]
"""Task, content hash, seed and device."""


@dataclass(frozen=True)
class Pair:
    """A task that both scorers answered, and their scores: with one seed of the run, or means over those of both."""

    task: str
    family: str
    stratum: str
    provenance: str
    first: float
    second: float


@dataclass(frozen=True)
class Difference:
    """The first scorer's score less the second's, on the same tasks."""

    difference: float
    """Weighted over tasks as the board's scores are."""
    interval: tuple[float, float] | None
    """Paired bootstrap 95% interval over pairs, tasks as a rule; None where a family has a single one."""
    wins: int
    """Pairs in which the first scorer's score is higher."""
    ties: int
    losses: int

    @property
    def tasks(self) -> int:
        """Pairs compared."""
        return self.wins + self.ties + self.losses


@dataclass(frozen=True)
class Comparison:
    """Two scorers of one track."""

    track: str
    first: str
    second: str
    first_score: float
    """Over the tasks that both answered."""
    second_score: float
    overall: Difference
    resolved: bool
    """Whether the interval leaves 0 out."""
    variants: dict[str, Difference]
    sizes: dict[str, Difference]
    only_first: int
    """Cells that the first answered and the second did not; they are not compared."""
    only_second: int

    def listing(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self)


def compare(
    results: Sequence[CellResult],
    first: str,
    second: str,
    track: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    each_seed: bool = False,
) -> Comparison:
    """The paired difference between two scorers on the tasks that both answered.

    Args:
        results: as for `peabench.standings.standings`.
        first: name of a scorer.
        second: name of another of the same track.
        track: needed only where both names stand on several tracks.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        each_seed: every seed of the run makes pairs of its own, so that intervals hold what it changes, too.

    Raises:
        PeabenchError: a name is unknown, the scorers are of different tracks, a scorer's results are of several
            versions, or no task was answered by both.
    """
    track = _track_of(results, first, second, track)
    of_first, of_second = (_answered(results, name, track) for name in (first, second))
    pairs = _pairs(of_first, of_second, each_seed)
    if not pairs:
        raise PeabenchError(f"{first} and {second} have no answered cell in common; run both with one seed.")
    weights = _weights(pairs)
    overall = _difference(pairs, resamples, seed)
    return Comparison(
        track=track,
        first=first,
        second=second,
        first_score=float(weights @ [pair.first for pair in pairs]),
        second_score=float(weights @ [pair.second for pair in pairs]),
        overall=overall,
        resolved=overall.interval is not None and resolved(overall.interval),
        variants=_by(pairs, variant_of, resamples, seed),
        sizes=_by(pairs, size_of, resamples, seed),
        only_first=len(set(of_first) - set(of_second)),
        only_second=len(set(of_second) - set(of_first)),
    )


def _track_of(results: Sequence[CellResult], first: str, second: str, track: str | None) -> str:
    tracks = {name: {result.key.track for result in results if result.key.scorer == name} for name in (first, second)}
    for name in (first, second):
        if not tracks[name]:
            hint = suggestion(name, (result.key.scorer for result in results), "peabench leaderboard")
            raise PeabenchError(f"No result is of a scorer {name!r}; {hint}")
    common = tracks[first] & tracks[second]
    if not common:
        one, other = (" and ".join(sorted(tracks[name])) for name in (first, second))
        raise PeabenchError(f"{first} answers {one} and {second} answers {other}; compare two scorers of one track.")
    if track is None and len(common) > 1:
        raise PeabenchError(f"Both {first} and {second} answer {' and '.join(sorted(common))}; choose one by --track.")
    if track is not None and track not in common:
        raise PeabenchError(f"{first} and {second} do not both answer {track!r}; {suggestion(track, common)}")
    return track or common.pop()


def _answered(results: Sequence[CellResult], scorer: str, track: str) -> dict[CellPlace, CellResult]:
    found = [result for result in results if (result.key.scorer, result.key.track) == (scorer, track)]
    if len({(r.key.scorer_version, r.key.source_hash, r.key.track_version) for r in found}) > 1:
        raise PeabenchError(f"The results of {scorer} are of several versions; run it again so that all are of one.")
    return {
        (result.key.task, result.key.content_hash, result.key.seed, result.key.device): result
        for result in found
        if result.status == "ok"
    }


def _pairs(
    first: Mapping[CellPlace, CellResult], second: Mapping[CellPlace, CellResult], each_seed: bool
) -> list[Pair]:
    common = sorted(set(first) & set(second))
    pairs = []
    for _, group in groupby(common, key=lambda place: place[: 3 if each_seed else 2]):
        places = list(group)
        one = first[places[0]]
        scores = (fmean(found[place].metrics[SCORE] for place in places) for found in (first, second))
        pairs.append(Pair(one.key.task, one.key.family, stratum(one), one.provenance, *scores))
    return pairs


def _weights(pairs: Sequence[Pair]) -> Float[Array, " task"]:
    return task_weights([pair.family for pair in pairs], [pair.provenance for pair in pairs])


def _difference(pairs: Sequence[Pair], resamples: int, seed: int) -> Difference:
    differences = np.array([pair.first - pair.second for pair in pairs])
    strata, weights = [pair.stratum for pair in pairs], _weights(pairs)
    bounds = None
    if min(strata.count(name) for name in set(strata)) > 1:
        bounds = interval(bootstrap_means(differences[None], strata, weights, resamples, seed)[0])
    return Difference(
        difference=float(weights @ differences),
        interval=bounds,
        wins=int(np.sum(differences > TIE)),
        ties=int(np.sum(np.abs(differences) <= TIE)),
        losses=int(np.sum(differences < -TIE)),
    )


def _by(pairs: Sequence[Pair], label: Callable[[str], str], resamples: int, seed: int) -> dict[str, Difference]:
    groups = defaultdict(list)
    for pair in pairs:
        groups[label(pair.task)].append(pair)
    return {name: _difference(found, resamples, seed) for name, found in sorted(groups.items(), key=in_order)}
