"""Short names for the expressions that sequence programs are written in."""

from collections.abc import Sequence
from typing import Literal

from peabench.mechanism import (
    Add,
    And,
    Compare,
    Constant,
    Expression,
    Gather,
    Majority,
    Not,
    Or,
    Select,
    Subtract,
    VariableReference,
    Xor,
)


def ref(name: str) -> Expression:
    """The value of a variable."""
    return VariableReference(name=name)


def const(value: bool | int | Sequence[bool] | Sequence[int]) -> Expression:
    """A number, or one per position."""
    return Constant(value=value if isinstance(value, bool | int) else tuple(value))


def at(sequence: Expression, index: int | Expression) -> Expression:
    """One element of a sequence."""
    return Gather(sequence=sequence, index=const(index) if isinstance(index, int) else index)


Relation = Literal["eq", "ne", "lt", "le", "gt", "ge"]


def compare(left: Expression, relation: Relation, right: Expression | int) -> Expression:
    """A comparison, at every position where one side has several."""
    other = const(right) if isinstance(right, int) else right
    return Compare(left=left, relation=relation, right=other)


def all_of(terms: Sequence[Expression]) -> Expression:
    """Conjunction."""
    return terms[0] if len(terms) == 1 else And(arguments=tuple(terms))


def any_of(terms: Sequence[Expression]) -> Expression:
    """Disjunction."""
    return terms[0] if len(terms) == 1 else Or(arguments=tuple(terms))


def majority(terms: Sequence[Expression]) -> Expression:
    """True where more than half of the terms are."""
    return terms[0] if len(terms) == 1 else Majority(arguments=tuple(terms))


def xor(one: Expression, other: Expression) -> Expression:
    """Exclusive or."""
    return Xor(arguments=(one, other))


def negated(term: Expression) -> Expression:
    """Negation."""
    return Not(argument=term)


def either(condition: Expression, then: Expression | int, otherwise: Expression | int) -> Expression:
    """One of two values."""
    yes, no = (const(x) if isinstance(x, int) else x for x in (then, otherwise))
    return Select(condition=condition, then=yes, otherwise=no)


def minus(left: int, right: Expression) -> Expression:
    """A difference."""
    return Subtract(left=const(left), right=right)


def added(terms: Sequence[Expression]) -> Expression:
    """A sum."""
    return terms[0] if len(terms) == 1 else Add(arguments=tuple(terms))


def total(conditions: Sequence[Expression]) -> Expression:
    """How many of the conditions hold, position by position."""
    return added([either(condition, 1, 0) for condition in conditions])


def first_of(flags: Expression, values: Expression, positions: Sequence[int], otherwise: int) -> Expression:
    """The value at the first of the positions whose flag is set."""
    result = const(otherwise)
    for position in reversed(positions):
        result = either(at(flags, position), at(values, position), result)
    return result


def seen_from(length: int, position: int, itself: bool = True) -> Expression:
    """At which positions a key position is visible where attention does not look ahead (a constant sequence)."""
    return const([p > position or (p == position and itself) for p in range(length)])
