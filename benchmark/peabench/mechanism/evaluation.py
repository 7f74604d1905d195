"""Values of expressions, for a whole batch at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Shaped
from torch import Tensor

from peabench.mechanism.errors import MechanismError
from peabench.mechanism.expressions import (
    Add,
    And,
    Compare,
    Constant,
    Count,
    Expression,
    Gather,
    Implies,
    Majority,
    Modulo,
    Multiply,
    Negate,
    Not,
    Or,
    Select,
    Subtract,
    Table,
    VariableReference,
    Xor,
)
from peabench.mechanism.inference import Environment
from peabench.mechanism.kinds import Real

_Operation = Callable[[Tensor, Tensor], Tensor]

_COMPARISONS: dict[str, _Operation] = {
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
}


@dataclass(frozen=True)
class _Value:
    """A tensor `[*batch, position?, component?]` and which of the two trailing axes it has."""

    tensor: Shaped[Tensor, "..."]
    positions: bool = False
    vector: bool = False


def evaluate(
    expression: Expression,
    values: Mapping[str, Shaped[Tensor, "..."]],
    environment: Environment | None = None,
) -> Shaped[Tensor, "..."]:
    """Values of an expression that `infer` accepts, for a batch of values of its variables.

    Args:
        expression: what to evaluate.
        values: for each variable a tensor `[*batch, *trailing_shape(kind)]`; batch shapes broadcast.
        environment: kinds of the variables; left out, every variable is one number or boolean per batch element.

    Returns:
        `[*batch, *trailing_shape(infer(expression, environment))]`: bool, int64 or float64. An expression without
        variables has an empty batch shape.

    Raises:
        MechanismError: a variable without values, or an index outside its sequence or table.

    >>> formula = Implies(premise=VariableReference(name="a"), conclusion=VariableReference(name="b"))
    >>> evaluate(formula, {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])}).tolist()
    [True, False]
    """
    device = next((tensor.device for tensor in values.values()), torch.device("cpu"))
    return _Evaluator(values, environment, device).value(expression).tensor


@dataclass(frozen=True)
class _Evaluator:
    values: Mapping[str, Shaped[Tensor, "..."]]
    environment: Environment | None
    device: torch.device

    def value(self, expression: Expression) -> _Value:
        match expression:
            case VariableReference(name=name):
                return self._variable(name)
            case Constant(value=value):
                return _Value(torch.tensor(value, dtype=_dtype(value), device=self.device), isinstance(value, tuple))
            case Not(argument=argument):
                inner = self.value(argument)
                return _Value(~inner.tensor, inner.positions, inner.vector)
            case And():
                return self._fold(torch.logical_and, expression.arguments)
            case Or():
                return self._fold(torch.logical_or, expression.arguments)
            case Xor():
                return self._fold(torch.logical_xor, expression.arguments)
            case Implies(premise=premise, conclusion=conclusion):
                return self._fold(torch.le, (premise, conclusion))
            case Majority(arguments=arguments):
                aligned, positions, vector = self._aligned(arguments)
                votes = reduce(torch.add, (tensor.to(torch.int64) for tensor in aligned))
                return _Value(2 * votes > len(aligned), positions, vector)
            case Add():
                return self._fold(torch.add, expression.arguments)
            case Multiply():
                return self._fold(torch.mul, expression.arguments)
            case Subtract(left=left, right=right):
                return self._fold(torch.sub, (left, right))
            case Negate(argument=argument):
                inner = self.value(argument)
                return _Value(-inner.tensor, inner.positions, inner.vector)
            case Modulo(argument=argument, modulus=modulus):
                inner = self.value(argument)
                return _Value(torch.remainder(inner.tensor, modulus), inner.positions, inner.vector)
            case Compare(relation=relation, left=left, right=right):
                return self._fold(_COMPARISONS[relation], (left, right))
            case Select(condition=condition, then=then, otherwise=otherwise):
                aligned, positions, vector = self._aligned((condition, then, otherwise))
                return _Value(torch.where(aligned[0], aligned[1], aligned[2]), positions, vector)
            case Gather(sequence=sequence, index=index):
                return _gather(self.value(sequence), self.value(index))
            case Count(sequence=sequence):
                return _Value(_sequence(self.value(sequence), "count").tensor.sum(dim=-1))
            case Table():
                return self._table(expression)

    def _variable(self, name: str) -> _Value:
        if name not in self.values:
            raise MechanismError(f"expected values of variable {name!r}, got none; pass a tensor for it")
        if self.environment is None:
            return _Value(self.values[name])
        kind = self.environment[name]
        return _Value(self.values[name], kind.length is not None, isinstance(kind, Real) and kind.dimension is not None)

    def _aligned(self, expressions: Sequence[Expression]) -> tuple[list[Shaped[Tensor, "..."]], bool, bool]:
        """Values of several expressions, each with a position axis and a component axis if any of them has one."""
        values = [self.value(expression) for expression in expressions]
        positions, vector = any(value.positions for value in values), any(value.vector for value in values)
        aligned = []
        for value in values:
            tensor = value.tensor
            if vector and not value.vector:
                tensor = tensor.unsqueeze(-1)
            if positions and not value.positions:
                tensor = tensor.unsqueeze(-2 if vector else -1)
            aligned.append(tensor)
        return aligned, positions, vector

    def _fold(self, operation: _Operation, expressions: Sequence[Expression]) -> _Value:
        aligned, positions, vector = self._aligned(expressions)
        return _Value(reduce(operation, aligned), positions, vector)

    def _table(self, table: Table) -> _Value:
        aligned, positions, _ = self._aligned(table.arguments)
        row: Tensor = torch.zeros((), dtype=torch.int64, device=self.device)
        for tensor, size in zip(aligned, table.shape, strict=True):
            _within(tensor, size, "table")
            row = row * size + tensor.to(torch.int64)
        entries = torch.tensor(table.values, dtype=_dtype(table.values), device=self.device)
        if table.dimension is None:
            return _Value(entries[row], positions)
        return _Value(entries.reshape(math.prod(table.shape), table.dimension)[row], positions, vector=True)


def _sequence(value: _Value, operation: str) -> _Value:
    if not value.positions:
        raise MechanismError(
            f"expected a sequence in '{operation}', got one value per batch element; pass an environment with lengths"
        )
    return value


def _gather(sequence: _Value, index: _Value) -> _Value:
    axis = -2 if _sequence(sequence, "gather").vector else -1
    _within(index.tensor, sequence.tensor.shape[axis], "gather")
    where = index.tensor if index.positions else index.tensor.unsqueeze(-1)
    if sequence.vector:
        where = where.unsqueeze(-1)
    rank = max(sequence.tensor.dim(), where.dim())
    elements = torch.take_along_dim(_padded(sequence.tensor, rank), _padded(where, rank), dim=axis)
    return _Value(elements if index.positions else elements.squeeze(axis), index.positions, sequence.vector)


def _padded(tensor: Shaped[Tensor, "..."], rank: int) -> Shaped[Tensor, "..."]:
    return tensor.reshape((1,) * (rank - tensor.dim()) + tuple(tensor.shape))


def _within(index: Shaped[Tensor, "..."], size: int, operation: str) -> None:
    if index.numel() == 0 or (index.dtype == torch.bool and size >= 2):
        return
    low, high = (int(bound) for bound in torch.aminmax(index.to(torch.int64)))
    if low < 0 or high >= size:
        raise MechanismError(
            f"expected indices from 0 to {size - 1} in '{operation}', got {low if low < 0 else high}; "
            "keep the index within bounds, for instance with a modulo"
        )


def _dtype(value: object) -> torch.dtype:
    first = value[0] if isinstance(value, tuple) else value
    if isinstance(first, bool):
        return torch.bool
    return torch.float64 if isinstance(first, float) else torch.int64
