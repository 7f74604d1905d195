"""Clauses: conjunctions of literals over Boolean inputs, many of them drawn at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from random import Random

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Clause:
    """True where each of its inputs has the sign it wants."""

    literals: tuple[tuple[int, bool], ...]
    """(input, wanted value)."""


def draw_clauses(count: int, n_inputs: int, width: int, *, negated: bool, seed: int) -> tuple[Clause, ...]:
    """Different clauses of so many literals.

    Args:
        count: how many.
        n_inputs: inputs to draw from.
        width: literals of each.
        negated: whether inputs may be wanted false.
        seed: another one draws others.
    """
    signs = (True, False) if negated else (True,)
    everything = [
        Clause(tuple(zip(inputs, wanted, strict=True)))
        for inputs in combinations(range(n_inputs), width)
        for wanted in product(signs, repeat=width)
    ]
    return tuple(sorted(Random(seed).sample(everything, count), key=lambda clause: clause.literals))


def literal_matrix(clauses: Sequence[Clause], n_inputs: int) -> Float[Tensor, "clause input"]:
    """1 where a clause wants an input true, -1 where false, 0 where it does not read it."""
    matrix = torch.zeros(len(clauses), n_inputs)
    for row, clause in enumerate(clauses):
        for column, wanted in clause.literals:
            matrix[row, column] = 1 if wanted else -1
    return matrix


def truths(literals: Float[Tensor, "clause input"], rows: Int[Tensor, "row input"]) -> Bool[Tensor, "row clause"]:
    """Which clauses hold on inputs of 0 and 1."""
    agreeing = (2 * rows - 1).to(literals.dtype) @ literals.T
    return agreeing == literals.abs().sum(1)
