"""Scikit-learn's learners: held to a number of iterations, seeded, quiet about it, and chosen by description length."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from peabench_baselines.features.description_length import description_length
from peabench_baselines.features.fitted_directions import Fit

HELD_OUT = 1024


def numpy_seed(generator: torch.Generator) -> int:
    """A seed for a learner's `random_state`."""
    return int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))


@contextmanager
def without_convergence_warnings() -> Iterator[None]:
    """Learners stop after the iterations they are given, which is intended and no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def widths(latents: int) -> tuple[int, ...]:
    """Numbers of latents that are tried: a quarter, a half and all of the budget."""
    return tuple(max(1, latents // part) for part in (4, 2, 1))


def split(
    rows: Float[Tensor, "row d_model"], most: int, generator: torch.Generator
) -> tuple[Float[Tensor, "known d_model"], Float[Tensor, "held_out d_model"]]:
    """Random rows to learn from, at most so many, and others to choose by: an eighth, at most 1,024."""
    held_out = max(1, min(HELD_OUT, len(rows) // 8))
    order = torch.randperm(len(rows), generator=generator)
    return rows[order[held_out : held_out + most]], rows[order[:held_out]]


def shortest(
    fits: Sequence[Fit], centre: Float[Tensor, " d_model"], held_out: Float[Tensor, "row d_model"], learnt_from: int
) -> Fit:
    """The fit whose codes say held-out rows in the fewest bits; what codes say is added to a centre."""
    lengths = []
    for fit in fits:
        codes = fit.encode(held_out)
        lengths.append(float(description_length(held_out, codes, centre + codes @ fit.directions, learnt_from)))
    return fits[min(range(len(fits)), key=lambda i: lengths[i])]
