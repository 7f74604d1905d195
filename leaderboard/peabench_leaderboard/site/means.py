"""The mean that standings are made of, over some of a row's cells."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from peabench.results import SCORE, CellResult


def mean_score(cells: Sequence[CellResult]) -> float | None:
    """The mean over families of the mean over tasks of answered cells; None where there are no cells."""
    families: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        families[cell.key.family].append(cell.metrics[SCORE])
    return fmean(fmean(scores) for scores in families.values()) if families else None
