"""Expressions: small typed trees that say how a variable follows from others. Data only; nothing is ever executed.

A tree is limited in depth and size as it is built, so that everything which walks one may recurse.
Their kinds are in `inference`, their values in `evaluation`, their text in `printing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, StrictBool, StrictFloat, StrictInt, model_validator

from peabench.mechanism.errors import MechanismError, quote
from peabench.mechanism.kinds import LARGEST_INTEGER
from peabench.mechanism.records import Name, Record

DEEPEST = 64
"""Levels of the deepest expression."""
MOST_NODES = 10_000
"""Nodes of the largest expression."""
LARGEST_TABLE = 1_000_000
"""Entries of the largest look-up table, and elements of the longest constant."""

_Scalar = StrictBool | StrictInt | StrictFloat
_Element = TypeVar("_Element")
_Long = Annotated[tuple[_Element, ...], Field(min_length=1, max_length=LARGEST_TABLE)]
_Sequence = _Long[StrictBool] | _Long[StrictInt] | _Long[StrictFloat]


class ExpressionNode(Record):
    """Base of all nodes of an expression."""

    _depth: int = PrivateAttr(default=1)
    _nodes: int = PrivateAttr(default=1)

    @model_validator(mode="after")
    def _measure(self) -> Self:
        below = list(children(self))
        self._depth = 1 + max((child._depth for child in below), default=0)
        self._nodes = 1 + sum(child._nodes for child in below)
        if self._depth > DEEPEST:
            raise MechanismError(
                f"expected an expression at most {DEEPEST} levels deep, got {self._depth}; "
                "split it over several variables"
            )
        if self._nodes > MOST_NODES:
            raise MechanismError(
                f"expected an expression of at most {MOST_NODES} nodes, got {self._nodes}; "
                "split it over several variables"
            )
        return self


class VariableReference(ExpressionNode):
    """The value of a variable."""

    op: Literal["variable"] = "variable"
    name: Name


class Constant(ExpressionNode):
    """A boolean, an integer or a real number, or a sequence of them (one per position)."""

    op: Literal["constant"] = "constant"
    value: _Scalar | _Sequence

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check_bounds(self.value if isinstance(self.value, tuple) else (self.value,), "value")
        return self


class Not(ExpressionNode):
    """Logical negation."""

    op: Literal["not"] = "not"
    argument: Expression


class And(ExpressionNode):
    """True where all arguments are."""

    op: Literal["and"] = "and"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=2)]


class Or(ExpressionNode):
    """True where an argument is."""

    op: Literal["or"] = "or"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=2)]


class Xor(ExpressionNode):
    """True where an odd number of arguments is: parity."""

    op: Literal["xor"] = "xor"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=2)]


class Implies(ExpressionNode):
    """False only where the premise is true and the conclusion false."""

    op: Literal["implies"] = "implies"
    premise: Expression
    conclusion: Expression


class Majority(ExpressionNode):
    """True where more than half of the arguments are; an odd number of them, three or more."""

    op: Literal["majority"] = "majority"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=3)]

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if len(self.arguments) % 2 == 0:
            raise MechanismError(
                f"expected an odd number of arguments, got {len(self.arguments)}; a majority must not tie", "arguments"
            )
        return self


class Add(ExpressionNode):
    """Sum, from left to right."""

    op: Literal["add"] = "add"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=2)]


class Subtract(ExpressionNode):
    """Difference left - right."""

    op: Literal["subtract"] = "subtract"
    left: Expression
    right: Expression


class Multiply(ExpressionNode):
    """Product, from left to right."""

    op: Literal["multiply"] = "multiply"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=2)]


class Negate(ExpressionNode):
    """Arithmetic negation."""

    op: Literal["negate"] = "negate"
    argument: Expression


class Modulo(ExpressionNode):
    """Residue in 0 ... modulus-1, floored as in Python: -1 modulo 3 is 2."""

    op: Literal["modulo"] = "modulo"
    argument: Expression
    modulus: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]


class Compare(ExpressionNode):
    """Comparison of two numbers, or equality of two booleans or categories."""

    op: Literal["compare"] = "compare"
    relation: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    left: Expression
    right: Expression


class Select(ExpressionNode):
    """`then` where the condition is true, `otherwise` elsewhere. Both are evaluated everywhere."""

    op: Literal["select"] = "select"
    condition: Expression
    then: Expression
    otherwise: Expression


class Gather(ExpressionNode):
    """Element of a sequence at an index counted from 0; a sequence of indices gives a sequence of elements."""

    op: Literal["gather"] = "gather"
    sequence: Expression
    index: Expression


class Count(ExpressionNode):
    """Number of positions at which a boolean sequence is true."""

    op: Literal["count"] = "count"
    sequence: Expression


class Table(ExpressionNode):
    """Look-up over integer, category or boolean arguments; `values` is the table flattened row by row."""

    op: Literal["table"] = "table"
    arguments: Annotated[tuple[Expression, ...], Field(min_length=1, max_length=16)]
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=16)]
    """Number of values of each argument (2 for a boolean)."""
    dimension: Annotated[int, Field(ge=1)] | None = None
    """For real vectors as entries: their dimension, the last axis of `values`."""
    values: _Sequence

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _check_bounds(self.values, "values")
        if len(self.shape) != len(self.arguments):
            raise MechanismError(
                f"expected one size per argument ({len(self.arguments)}), got {len(self.shape)}; correct the shape",
                "shape",
            )
        size = prod(self.shape) * (self.dimension or 1)
        if len(self.values) != size:
            raise MechanismError(f"expected {size} values, got {len(self.values)}; list one per entry", "values")
        if self.dimension is not None and not isinstance(self.values[0], float):
            raise MechanismError("expected real values in a table of vectors, got others; write 1.0 for 1", "values")
        return self


Expression = Annotated[
    VariableReference
    | Constant
    | Not
    | And
    | Or
    | Xor
    | Implies
    | Majority
    | Add
    | Subtract
    | Multiply
    | Negate
    | Modulo
    | Compare
    | Select
    | Gather
    | Count
    | Table,
    Field(discriminator="op"),
]
"""Any node: a whole expression is its root node."""

for _node in ExpressionNode.__subclasses__():
    _node.model_rebuild()


def _check_bounds(values: Sequence[float], field: str) -> None:
    # Not by the type of the field: an integer that is too large for it would be taken as a real number.
    largest = max(values, key=abs)
    if isinstance(largest, int) and abs(largest) > LARGEST_INTEGER:
        raise MechanismError(f"expected integers of absolute value at most 2^62, got {quote(largest)}; scale it", field)


def children(expression: ExpressionNode) -> Iterator[ExpressionNode]:
    """The direct sub-expressions of an expression, in the order of its fields."""
    for value in expression.__dict__.values():
        if isinstance(value, ExpressionNode):
            yield value
        elif isinstance(value, tuple) and value and isinstance(value[0], ExpressionNode):
            yield from value


def variables(expression: ExpressionNode) -> frozenset[str]:
    """Names of the variables that an expression mentions."""
    if isinstance(expression, VariableReference):
        return frozenset((expression.name,))
    return frozenset[str]().union(*(variables(child) for child in children(expression)))
