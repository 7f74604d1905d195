"""What each task weighs in a score, and the bootstrap over tasks that intervals come from."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

LEVEL = 0.95
RESAMPLES = 10_000
PLANTED = "planted"
PLANTED_SHARE = 0.5
"""Most that planted tasks weigh together, where there are others."""

Array = np.ndarray[Any, np.dtype[Any]]


def task_weights(families: Sequence[str], provenances: Sequence[str]) -> Float[Array, " task"]:
    """Weights that sum to 1: every family weighs the same, and so does every task within it.

    Where planted tasks would weigh more than one half together, they are scaled down to it and the others up to the
    other half. Where all tasks are planted that cannot be, and nothing is scaled.

    >>> task_weights(["a", "a", "b"], ["planted", "planted", "derived"])
    array([0.25, 0.25, 0.5 ])
    >>> task_weights(["a", "b", "c"], ["planted", "planted", "derived"])
    array([0.25, 0.25, 0.5 ])
    """
    members = Counter(families)
    weights = np.array([1 / (len(members) * members[family]) for family in families])
    planted = np.array([provenance == PLANTED for provenance in provenances], dtype=bool)
    share = weights[planted].sum()
    if share > PLANTED_SHARE and not planted.all():
        weights = np.where(planted, weights * PLANTED_SHARE / share, weights * (1 - PLANTED_SHARE) / (1 - share))
    return weights


def bootstrap_means(
    scores: Float[Array, "scorer task"],
    strata: Sequence[str],
    weights: Float[Array, " task"],
    resamples: int,
    seed: int,
) -> Float[Array, "scorer resample"]:
    """Weighted means with the tasks of each stratum drawn anew with replacement.

    All scorers see the same draws, so that their differences are paired.

    Args:
        scores: of every scorer on every task.
        strata: the stratum of each task: its family and provenance.
        weights: of each task, the same for all of a stratum.
        resamples: how often to draw.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    names = np.asarray(strata)
    total = np.zeros((len(scores), resamples))
    for stratum in sorted(set(strata)):
        members = np.flatnonzero(names == stratum)
        times_drawn = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
        total += scores[:, members] * weights[members] @ times_drawn.T
    return total


def interval(draws: Float[Array, " resample"]) -> tuple[float, float]:
    """The 95% percentile interval of bootstrap draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
