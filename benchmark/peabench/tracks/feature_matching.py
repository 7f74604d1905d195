"""How well answered latents match features one to one: both what they add and where they add it must be right."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.true_features import Contributions

FLOAT32_DIGITS = 6
"""Qualities are rounded to so many digits, so that the truth in float32 is the truth."""
RESOLUTION = 1e-6
"""Activations that change by less, relative to their size, are constant: float32 tells no more."""


@dataclass(frozen=True)
class Matching:
    """The best one-to-one matching of true features with answered ones."""

    quality: Float[Tensor, "feature answered"]
    """Of every pair, 0 to 1."""
    answered: Int[Tensor, " feature"]
    """Which answered feature each true one is matched with; -1 for none."""
    matched: Float[Tensor, " feature"]
    """Quality of each feature's match, 0 without one."""

    def agreement(self, free: int = 0) -> tuple[float, float, float]:
        """Mean quality over the true features, over the answered ones, and the harmonic mean of the two.

        The last so many true features are free: they are in neither mean, and an answered feature is left out as far as
        it matches one of them.
        """
        used = len(self.matched) - free
        total = float(self.matched[:used].sum())
        answered = self.quality.shape[1] - float(self.matched[used:].sum())
        return total / used, total / answered if answered > 0 else 0.0, 2 * total / (used + answered)

    def factors(self, truth: Contributions, answer: Contributions, free: int = 0) -> dict[str, float]:
        """Mean over features of the two factors of their matches: `firing` and `cosine`; 0 for those without a match.

        For features of several dimensions each is the largest canonical correlation, and cosine of a principal angle,
        of what the two span.
        """
        pairs = self.answered[: len(self.matched) - free].tolist()
        ours, theirs = truth.members(), answer.members()
        fired, fires = truth.activations - truth.activations.mean(0), answer.activations - answer.activations.mean(0)
        firing = cosine = 0.0
        for feature, latent in enumerate(pairs):
            if latent >= 0:
                mine, its = ours[feature], theirs[latent]
                firing += _alignment(fired[:, mine], fires[:, its])
                cosine += _alignment(truth.directions[mine].T, answer.directions[its].T)
        return {"cosine": cosine / len(pairs), "firing": firing / len(pairs)}


def pair_quality(truth: Contributions, answer: Contributions) -> Float[Tensor, "feature answered"]:
    """Cosine of what a true and an answered feature add to the activations, each less its mean; below 0 it is 0.

    For two features of one dimension that is the product of two cosines: the correlation of how they fire, and that
    of their directions. Both must be right, and a sign counts only where the two do not share it. What is added is
    the same in every basis of a feature of several dimensions. An answered feature that never changes matches nothing.
    """
    ours, theirs = _unit(truth), _unit(answer)
    shared = (ours.activations.T @ theirs.activations).mul_(ours.directions @ theirs.directions.T)
    inner = _summed(_summed(shared, truth).T, answer).T
    return inner.clamp_(0, 1).round_(decimals=FLOAT32_DIGITS)


def match(quality: Float[Tensor, "feature answered"]) -> Matching:
    """The one-to-one matching with the greatest total quality (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment  # takes half a second to import

    rows, columns = linear_sum_assignment(quality.numpy(), maximize=True)
    kept = quality.numpy()[rows, columns] > 0
    features, latents = (torch.from_numpy(index[kept].astype(np.int64)) for index in (rows, columns))
    answered = torch.full((len(quality),), -1)
    answered[features] = latents
    matched = torch.zeros(len(quality), dtype=quality.dtype)
    matched[features] = quality[features, latents]
    return Matching(quality, answered, matched)


def _unit(side: Contributions) -> Contributions:
    """The same, what each feature adds centred and scaled to a sum of squares of 1; what never changes becomes 0."""
    fired = side.activations - side.activations.mean(0)
    fired = fired * (fired.abs().amax(0) > RESOLUTION * side.activations.abs().amax(0))
    squares = fired.square().sum(0) * side.directions.square().sum(1)
    if side.count < len(side.features):
        squares = _squares(side, fired)
    scale = torch.where(squares > 0, squares.rsqrt(), 0)[side.features]
    return Contributions(side.directions, fired * scale, side.features)


def _squares(side: Contributions, fired: Float[Tensor, "point member"]) -> Float[Tensor, " feature"]:
    """Sum of squares of what the coordinates of each feature add together; 0 where they cancel.

    Of what is left of far greater parts most is rounding, which may lie along any feature.
    """
    inner = (fired.T @ fired) * (side.directions @ side.directions.T)
    inner = inner * (side.features[:, None] == side.features)
    total = _summed(inner.sum(1, keepdim=True), side)[:, 0]
    parts = _summed(inner.diagonal().clamp(min=0).sqrt()[:, None], side)[:, 0]
    return torch.where(total > RESOLUTION * parts.square(), total, 0)


def _summed(values: Float[Tensor, "member other"], side: Contributions) -> Float[Tensor, "feature other"]:
    if side.count == len(side.features):
        return values
    return torch.zeros(side.count, values.shape[1], dtype=values.dtype).index_add(0, side.features, values)


def _alignment(one: Float[Tensor, "axis member"], other: Float[Tensor, "axis member"]) -> float:
    """Largest cosine between vectors of what the columns of either span."""
    singular = torch.linalg.svdvals(_orthonormal(one).T @ _orthonormal(other))
    return min(float(singular.max()), 1.0) if len(singular) else 0.0


def _orthonormal(columns: Float[Tensor, "axis member"]) -> Float[Tensor, "axis k"]:
    left, singular, _ = torch.linalg.svd(columns.double(), full_matrices=False)
    basis: Tensor = left[:, singular > RESOLUTION * singular.max()]
    return basis
