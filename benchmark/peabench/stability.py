"""How firm a board is: whether its ranks repeat on other networks, and how small a difference it can tell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from statistics import fmean, median
from typing import Any

import numpy as np
from jaxtyping import Float

from peabench.boards import Board, Row, boards, mean_score, seed_of
from peabench.results import CellResult
from peabench.weights import RESAMPLES, Array, interval

MOST_SPLITS = 128
TIE = 1e-9
"""Scores closer than this are equal: what is left is the rounding of sums."""


@dataclass(frozen=True)
class Stability:
    """How firm a track's board is."""

    track: str
    track_version: int
    methods: int
    """Methods that have a rank; all that follows is of these."""
    tau: float | None
    """Kendall's tau-b between the methods' scores on disjoint halves of the tasks' seeds, averaged over the splits.
    None with fewer than two methods or seeds."""
    splits: int
    """Ways to part the seeds in halves."""
    resolvable: float | None
    """The median over pairs of methods of half the width of the paired bootstrap 95% interval of their difference: what
    an observed difference must exceed, in a typical pair, for that interval to leave 0 out."""
    pairs: int
    resolved: int
    """Pairs of methods whose interval leaves 0 out."""

    def listing(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self)


def stability(results: Sequence[CellResult], resamples: int = RESAMPLES, seed: int = 0) -> list[Stability]:
    """The stability of each track's board.

    Args:
        results: as for `peabench.standings.standings`.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    return [_stability(board, resamples, seed) for board in boards(results)]


def in_words(found: Stability) -> str:
    """What a board says of its stability, in one sentence; nothing where nothing was measured."""
    told = []
    if found.tau is not None:
        told.append(f"disjoint halves of the tasks' seeds rank the methods alike to Kendall's tau {found.tau:.2f}")
    if found.resolvable is not None:
        told.append(
            f"a difference above {found.resolvable:.3f} can be told from chance in a typical pair of methods, and in "
            f"{found.resolved} of the {found.pairs} pairs it is"
        )
    text = "; ".join(told)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def halves(seeds: Sequence[str]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """The ways to part seeds in two halves; of an odd number one half has one more.

    Beyond 128 ways, as many random ones, the same every time.

    >>> [sorted(first) for first, _ in halves(["0", "1", "2"])]
    [['0'], ['1'], ['2']]
    >>> len(halves(["0", "1", "2", "3"]))
    3
    """
    everything, size = sorted(set(seeds)), len(set(seeds)) // 2
    if size == 0:
        return []
    ways = comb(len(everything), size) // (2 if len(everything) == 2 * size else 1)
    if ways <= MOST_SPLITS:
        firsts = [frozenset(chosen) for chosen in combinations(everything, size)][:ways]
    else:
        generator = np.random.default_rng(0)
        firsts = [frozenset(generator.permutation(everything)[:size].tolist()) for _ in range(MOST_SPLITS)]
    return [(first, frozenset(everything) - first) for first in firsts]


def resolved(bounds: tuple[float, float]) -> bool:
    """Whether an interval of a difference leaves 0 out."""
    return bounds[0] > TIE or bounds[1] < -TIE


def _stability(board: Board, resamples: int, seed: int) -> Stability:
    splits = halves([seed_of(task) for task, _ in board.asked])
    taus = [tau for split in splits if (tau := _tau(board.ranked, *split)) is not None]
    every = board.draws(resamples, seed)
    drawn = [every[row.key] for row in board.ranked]
    draws = [found for found in drawn if found is not None]
    bounds = [interval(one - other) for one, other in combinations(draws, 2)] if len(draws) == len(drawn) else []
    return Stability(
        track=board.track,
        track_version=board.version,
        methods=len(board.ranked),
        tau=fmean(taus) if taus else None,
        splits=len(splits),
        resolvable=median((high - low) / 2 for low, high in bounds) if bounds else None,
        pairs=len(bounds),
        resolved=sum(resolved(found) for found in bounds),
    )


def _tau(rows: Sequence[Row], first: frozenset[str], second: frozenset[str]) -> float | None:
    from scipy.stats import kendalltau  # takes a second to import

    if len(rows) < 2:
        return None
    tau = float(kendalltau(_scores(rows, first), _scores(rows, second)).statistic)
    return None if np.isnan(tau) else tau


def _scores(rows: Sequence[Row], seeds: frozenset[str]) -> Float[Array, " scorer"]:
    """Score of each row over the tasks of some seeds."""
    means = [
        mean_score([result for result in row.counted.values() if seed_of(result.key.task) in seeds]) for row in rows
    ]
    return np.round(np.array(means, dtype=float), 9)
