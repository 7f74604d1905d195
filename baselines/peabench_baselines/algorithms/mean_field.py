"""What a causal model says of an input that is known by chances only: mean field, one variable after another."""

from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from peabench.mechanism import CausalModel
from peabench.mechanism.evaluation import evaluate
from peabench.mechanism.kinds import Kind, bounds, dtype

MOST_COMBINATIONS = 4096
"""Of the values of one variable's parents."""

Beliefs = Float[Tensor, "row value"]
"""How likely each value of a variable is, in each row."""


def reason_against_mean_field(model: CausalModel) -> str | None:
    """Why the values of a model's variables cannot be gone through, if so."""
    for variable in model.variables:
        if variable.kind.length is not None or bounds(variable.kind) is None:
            return f"{variable.name} does not take one of finitely many values."
        if prod(_size(model.kinds[parent]) for parent in variable.parents) > MOST_COMBINATIONS:
            return f"The parents of {variable.name} have more than {MOST_COMBINATIONS} combinations of values."
    return None


def half_way(
    model: CausalModel, base: Int[Tensor, "row column"], source: Int[Tensor, "row column"]
) -> dict[str, Beliefs]:
    """Beliefs in the inputs where each is, as likely as not, that of the base or that of the source."""
    runs = [model.read_inputs(rows) for rows in (base, source)]
    found = {}
    for name in model.inputs:
        numbers = torch.stack([run[name].long() for run in runs]) - _low(model.kinds[name])
        found[name] = one_hot(numbers, _size(model.kinds[name])).double().mean(0)
    return found


def mean_field(model: CausalModel, beliefs: dict[str, Beliefs]) -> dict[str, Beliefs]:
    """Beliefs in all variables, each computed as if its parents varied independently.

    Only the parents of one variable at a time are taken together, so that models with other variables and the same
    outputs differ: with all inputs at one half, (A and B) or (B and C) has 7/16, B and (A or C) has 3/8.
    """
    known = dict(beliefs)
    for variable in model.variables:
        if variable.function is None:
            continue
        sizes = [_size(model.kinds[parent]) for parent in variable.parents]
        grid = torch.cartesian_prod(*map(torch.arange, sizes)).view(-1, len(sizes)) if sizes else torch.empty(1, 0)
        columns = dict(zip(variable.parents, grid.long().unbind(1), strict=True))
        values = {
            parent: (number + _low(model.kinds[parent])).to(dtype(model.kinds[parent]))
            for parent, number in columns.items()
        }
        outcome = evaluate(variable.function, values, model.kinds).long().expand(len(grid)) - _low(variable.kind)
        chances = torch.ones(1, len(grid), dtype=torch.float64)
        for parent, number in columns.items():
            chances = chances * known[parent][:, number]
        known[variable.name] = chances @ one_hot(outcome, _size(variable.kind)).double()
    return known


def _low(kind: Kind) -> int:
    limits = bounds(kind)
    return limits[0] if limits is not None else 0


def _size(kind: Kind) -> int:
    limits = bounds(kind)
    return limits[1] - limits[0] + 1 if limits is not None else MOST_COMBINATIONS + 1
