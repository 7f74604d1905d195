"""Gates of two inputs: which are drawn, what they say, and the polynomial that each of them is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import And, Expression, Not, Or, VariableReference, Xor

Kind = Literal["and", "or", "xor", "but_not"]
POLYNOMIALS: dict[Kind, tuple[int, int, int]] = {
    "and": (0, 0, 1),
    "or": (1, 1, -1),
    "xor": (1, 1, -2),
    "but_not": (1, 0, -1),
}
"""Coefficients of x, y and xy, for inputs of 0 and 1."""


@dataclass(frozen=True)
class Gate:
    """A function of two inputs, `first` before `second`; `but_not` is true where the first is and the second is not."""

    kind: Kind
    first: int
    second: int


def draw_gates(count: int, n_inputs: int, kinds: Sequence[Kind], seed: int) -> tuple[Gate, ...]:
    """Gates of different pairs of inputs, as many of each kind as can be.

    Args:
        count: how many.
        n_inputs: inputs to draw from.
        kinds: taken in turn.
        seed: another one draws others.
    """
    pairs = Random(seed).sample(list(combinations(range(n_inputs), 2)), count)
    return tuple(Gate(kinds[i % len(kinds)], first, second) for i, (first, second) in enumerate(sorted(pairs)))


def expression(gate: Gate) -> Expression:
    """What a gate says of the variables `x0`, `x1`, ..."""
    x, y = (VariableReference(name=f"x{column}") for column in (gate.first, gate.second))
    if gate.kind == "and":
        return And(arguments=(x, y))
    if gate.kind == "or":
        return Or(arguments=(x, y))
    if gate.kind == "xor":
        return Xor(arguments=(x, y))
    return And(arguments=(x, Not(argument=y)))


def polynomials(gates: Sequence[Gate], n_inputs: int) -> tuple[Float[Tensor, "gate input"], Float[Tensor, " gate"]]:
    """Coefficients of each gate's inputs, and of the product of the two."""
    linear = torch.zeros(len(gates), n_inputs)
    products = torch.zeros(len(gates))
    for row, gate in enumerate(gates):
        x, y, products[row] = POLYNOMIALS[gate.kind]
        linear[row, gate.first], linear[row, gate.second] = x, y
    return linear, products
