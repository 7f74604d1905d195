"""How well answered latents match features one to one: both what they add and where they add it must be right."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from peabench.true_features import Contributions

FLOAT32_DIGITS = 6
"""Qualities are rounded to so many digits, so that the truth in float32 is the truth."""


@dataclass(frozen=True)
class Matching:
    """The best one-to-one matching of true features with answered ones."""

    quality: Float[Tensor, "feature answered"]
    """Of every pair, 0 to 1."""
    answered: Int[Tensor, " feature"]
    """Which answered feature each true one is matched with; -1 for none."""
    matched: Float[Tensor, " feature"]
    """Quality of each feature's match, 0 without one."""

    def agreement(self, decoys: int = 0) -> tuple[float, float, float]:
        """Mean quality over the true features, over the answered ones, and the harmonic mean of the two.

        The last so many true features are decoys: they are in neither mean, and an answered feature is left out as far
        as it matches one of them.
        """
        used = len(self.matched) - decoys
        total = float(self.matched[:used].sum())
        answered = self.quality.shape[1] - float(self.matched[used:].sum())
        truth_side, answer_side = total / max(used, 1), total / max(answered, 1e-9)
        return truth_side, min(answer_side, 1.0), 2 * total / max(used + answered, 1e-9)


def quality(truth: Contributions, answer: Contributions) -> Float[Tensor, "feature answered"]:
    """Cosine of what a true and an answered feature add to the activations, each less its mean; below 0 it is 0.

    For two features of one dimension that is the product of two cosines: the correlation of how they fire, and that
    of their directions. Both must be right, and a sign counts only where the two do not share it. What is added is
    the same in every basis of a feature of several dimensions. An answered feature that never changes matches nothing.
    """
    ours, theirs = (side.activations.double() - side.activations.double().mean(0) for side in (truth, answer))
    shared = (ours.T @ theirs) * (truth.directions.double() @ answer.directions.double().T)
    inner = _summed(_summed(shared, truth.features, truth.count).T, answer.features, answer.count).T
    scale = _norms(truth, ours)[:, None] * _norms(answer, theirs)
    cosine = torch.where(scale > 0, inner / scale.clamp(min=torch.finfo(torch.float64).tiny), 0.0)
    return cosine.clamp(0, 1).round(decimals=FLOAT32_DIGITS)


def match(quality: Float[Tensor, "feature answered"]) -> Matching:
    """The one-to-one matching with the greatest total quality (Kuhn 1955)."""
    rows, columns = linear_sum_assignment(quality.numpy(), maximize=True)
    kept = quality.numpy()[rows, columns] > 0
    answered = torch.full((len(quality),), -1)
    answered[torch.from_numpy(rows[kept])] = torch.from_numpy(columns[kept].astype(np.int64))
    matched = torch.zeros(len(quality), dtype=torch.float64)
    matched[torch.from_numpy(rows[kept])] = quality[rows[kept], columns[kept]]
    return Matching(quality, answered, matched)


def _summed(values: Float[Tensor, "member other"], numbers: Int[Tensor, " member"], count: int) -> Tensor:
    return torch.zeros(count, values.shape[1], dtype=values.dtype).index_add(0, numbers, values)


def _norms(side: Contributions, centred: Float[Tensor, "point member"]) -> Float[Tensor, " feature"]:
    """Root of the sum of squares of what each feature adds."""
    lengths = centred.norm(dim=0) * side.directions.double().norm(dim=1)
    squares = _summed(lengths.square()[:, None], side.features, side.count)[:, 0]
    several = (side.features.bincount(minlength=side.count) > 1).nonzero()[:, 0]
    for number in several:
        some = side.features == number
        among = (centred[:, some].T @ centred[:, some]) * (
            side.directions[some].double() @ side.directions[some].double().T
        )
        squares[number] = among.sum().clamp(min=0)
    return squares.sqrt()
