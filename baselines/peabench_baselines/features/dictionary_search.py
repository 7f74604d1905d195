"""Choosing among settings of a sparse autoencoder without the truth, on held-out rows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.feature_matching import match, pair_quality
from peabench.true_features import Contributions
from peabench_baselines.features.description_length import description_length
from peabench_baselines.features.dictionary import Candidates, Dictionaries, Variant
from peabench_baselines.features.dictionary_training import train

SPARSITIES, WIDTHS = 5, 6
STARTS = 2
ROUNDS = ((60, 6), (120, 2), (300, 1))
"""Steps of training, and how many settings are kept after them."""
LEARNING_RATES = (0.015, 0.025)
NARROWEST = 0.125
"""Fewest latents, as a share of the budget."""
HELD_OUT_SHARE = 0.125
MOST_HELD_OUT = 2048


@dataclass(frozen=True)
class Trial:
    """One setting, and what it was worth on the held-out rows."""

    sparsity: float
    width: int
    learning_rate: float
    steps: int
    criterion: float
    """Higher is better."""


@dataclass(frozen=True)
class Found:
    """The dictionary that was chosen, alone on its candidate axis, and everything that was tried."""

    dictionary: Dictionaries
    trials: tuple[Trial, ...]


Criterion = Callable[[Dictionaries, Tensor, Tensor, int], Float[Tensor, " candidate"]]
"""From trained candidates, held-out inputs and targets, and the number of rows learnt from, to what each is worth."""


def search(
    variant: Variant,
    latents: int,
    inputs: Float[Tensor, "row d_in"],
    targets: Float[Tensor, "row d_out"],
    criterion: Criterion,
    generator: torch.Generator,
) -> Found:
    """Successive halving (Jamieson and Talwalkar 2016): 30 settings from two starts each, then six, two, and one.

    Settings are a grid of five sparsities and six widths (an eighth of the budget to all of it), both on geometric
    scales; neighbours on it have different ones of two learning rates. All 60 candidates are trained at once for 60
    steps of 256 rows, the better six settings for 120 more, the better two for 300 more. An eighth of the rows, at most
    2,048, is held out to choose by. Of settings drawn at random few lie near the best one, and which do differs from
    seed to seed more than scorers do.
    """
    held_out = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * len(inputs)))
    order = torch.randperm(len(inputs), generator=generator)
    known, unknown = order[held_out:], order[:held_out]
    candidates = _settings(variant, latents, inputs.shape[1])
    dictionaries = Dictionaries(variant, candidates, inputs[known], targets[known], generator)
    trials: list[Trial] = []
    for steps, kept in ROUNDS:
        train(dictionaries, inputs[known], targets[known], steps, generator)
        worth = criterion(dictionaries, inputs[unknown], targets[unknown], len(known))
        trials += _trials(dictionaries.candidates, worth, steps)
        best = worth.view(-1, STARTS).mean(1).argsort(descending=True, stable=True)[:kept]
        dictionaries = dictionaries.select((best[:, None] * STARTS + torch.arange(STARTS)).flatten())
    error = unexplained(dictionaries, inputs[unknown], targets[unknown])
    return Found(dictionaries.select(error.argmin()[None]), tuple(trials))


def agreement(
    dictionaries: Dictionaries, inputs: Float[Tensor, "row d_in"], targets: Float[Tensor, "row d_out"], learnt_from: int
) -> Float[Tensor, " candidate"]:
    """How well two starts of a setting find each other's latents, times the share of variance that they explain.

    Features that are there are found again; what a dictionary makes up is not (Sharkey, Braun and Millidge 2022). The
    share keeps a few loud directions from winning. Two dictionaries are compared as the track compares one with the
    truth: one to one, both sides, by how latents fire on the held-out rows and along which directions.
    """
    codes, directions = dictionaries.encode(inputs), dictionaries.parameters["decoder"]
    explained = (1 - unexplained(dictionaries, inputs, targets)).clamp(min=0)
    worth = torch.zeros(len(codes))
    for first in range(0, len(codes), STARTS):
        one, other = (_alive(codes[i], directions[i]) for i in (first, first + 1))
        if one.count and other.count:
            worth[first : first + STARTS] = match(pair_quality(one, other)).agreement()[2]
    return worth * explained


def shortness(
    dictionaries: Dictionaries, inputs: Float[Tensor, "row d_in"], targets: Float[Tensor, "row d_out"], learnt_from: int
) -> Float[Tensor, " candidate"]:
    """Minus the bits per row that the held-out targets cost, `description_length`."""
    codes = dictionaries.encode(inputs)
    return -description_length(targets, codes, dictionaries.decode(codes), learnt_from)


def unexplained(
    dictionaries: Dictionaries, inputs: Float[Tensor, "row d_in"], targets: Float[Tensor, "row d_out"]
) -> Float[Tensor, " candidate"]:
    """Share of the targets' variance that each candidate leaves."""
    left = targets - dictionaries.decode(dictionaries.encode(inputs))
    total = (targets - targets.mean(0)).square().sum(1).mean().clamp(min=1e-12)
    return left.square().sum(2).mean(1) / total


def _settings(variant: Variant, latents: int, d_in: int) -> Candidates:
    """Every setting once for each start. Counts that must be whole are rounded, which may leave fewer settings."""
    least, most = variant.sparsity
    most = max(least, min(most, d_in / 2)) if variant.counts else most
    sparsities = _between(least, most, torch.linspace(0, 1, SPARSITIES))
    if variant.activation in ("top-k", "matching-pursuit"):
        sparsities = sparsities.round().unique()
    widths = _between(max(1, NARROWEST * latents), latents, torch.linspace(0, 1, WIDTHS)).round().unique()
    at_sparsity, at_width = torch.cartesian_prod(torch.arange(len(sparsities)), torch.arange(len(widths))).T
    rates = torch.tensor(LEARNING_RATES)[(at_sparsity + at_width) % len(LEARNING_RATES)]
    settings = torch.stack([sparsities[at_sparsity], widths[at_width], rates], 1).repeat_interleave(STARTS, 0)
    return Candidates(*settings.T)


def _between(least: float, most: float, share: Float[Tensor, " candidate"]) -> Float[Tensor, " candidate"]:
    """Points of a geometric scale."""
    return least * (most / least) ** share


def _trials(candidates: Candidates, worth: Float[Tensor, " candidate"], steps: int) -> list[Trial]:
    rows = torch.stack([candidates.sparsity, candidates.width, candidates.learning_rate, worth], 1)
    return [Trial(sparsity, int(width), rate, steps, value) for sparsity, width, rate, value in rows.tolist()]


def _alive(codes: Float[Tensor, "row latent"], directions: Float[Tensor, "latent d"]) -> Contributions:
    """The latents that do something on the rows."""
    alive = codes.std(0, correction=0) > 0
    return Contributions(directions[alive], codes[:, alive], torch.arange(int(alive.sum())))
