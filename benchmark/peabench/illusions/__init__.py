"""Illusions: networks on which a popular method is confidently wrong, what it earns there, and what it says."""

from peabench.illusions.entries import Illusion, Illusions, installed_illusions
from peabench.illusions.scores import IllusionRow, IllusionScore, illusion_rows, illusion_scores

__all__ = [
    "Illusion",
    "IllusionRow",
    "IllusionScore",
    "Illusions",
    "illusion_rows",
    "illusion_scores",
    "installed_illusions",
]
