"""Static kinds of expressions: what an expression yields, or one sentence about why it makes no sense.

Integers carry their exact bounds, so that an expression which passes cannot overflow, index outside a table or
leave the values of its variable. Scalars combine with sequences (at every position) and with vectors (in every
component); two sequences must have the same length and two vectors the same dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from peabench.mechanism.errors import MechanismError, quote
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
from peabench.mechanism.kinds import LARGEST_INTEGER, Boolean, Category, Integer, Kind, Range, Real, bounds, describe

Environment = Mapping[str, Kind]
"""Kind of each variable that an expression may mention."""


def infer(expression: Expression, environment: Environment) -> Kind:
    """The kind of an expression's values, given the kinds of its variables.

    Raises:
        MechanismError: an unknown variable, arguments of the wrong kind, or integers that may leave their bounds.
    """
    match expression:
        case VariableReference(name=name):
            if name not in environment:
                raise MechanismError(
                    f"expected a variable that is in scope, got {name!r}; use one of {', '.join(environment) or 'none'}"
                )
            return environment[name]
        case Constant(value=value):
            return _literal(value, len(value)) if isinstance(value, tuple) else _literal((value,), None)
        case Not(argument=argument):
            return _logical("not", [infer(argument, environment)])
        case And() | Or() | Xor() | Majority():
            return _logical(expression.op, [infer(argument, environment) for argument in expression.arguments])
        case Implies(premise=premise, conclusion=conclusion):
            return _logical("implies", [infer(premise, environment), infer(conclusion, environment)])
        case Add() | Multiply():
            result, *rest = [infer(argument, environment) for argument in expression.arguments]
            for kind in rest:
                result = _arithmetic(expression.op, result, kind)
            return result
        case Subtract(left=left, right=right):
            return _arithmetic("subtract", infer(left, environment), infer(right, environment))
        case Negate(argument=argument):
            kind = infer(argument, environment)
            return kind if isinstance(kind, Real) else _arithmetic("subtract", Range(low=0, high=0), kind)
        case Modulo(argument=argument, modulus=modulus):
            kind = infer(argument, environment)
            if not isinstance(kind, Integer | Range):
                raise _wrong("modulo", "an integer", kind)
            return Integer(modulus=modulus, length=kind.length)
        case Compare():
            return _comparison(expression, infer(expression.left, environment), infer(expression.right, environment))
        case Select():
            return _selection(
                infer(expression.condition, environment),
                infer(expression.then, environment),
                infer(expression.otherwise, environment),
            )
        case Gather(sequence=sequence, index=index):
            return _element(infer(sequence, environment), infer(index, environment))
        case Count(sequence=sequence):
            kind = infer(sequence, environment)
            if not isinstance(kind, Boolean) or kind.length is None:
                raise _wrong("count", "a boolean sequence", kind)
            return Range(low=0, high=kind.length)
        case Table():
            return _entry(expression, [infer(argument, environment) for argument in expression.arguments])


def _literal(values: Sequence[bool] | Sequence[int] | Sequence[float], length: int | None) -> Kind:
    if isinstance(values[0], bool):
        return Boolean(length=length)
    if isinstance(values[0], float):
        return Real(length=length)
    return Range(low=int(min(values)), high=int(max(values)), length=length)


def _length(operation: str, kinds: Sequence[Kind]) -> int | None:
    lengths = {kind.length for kind in kinds} - {None}
    if len(lengths) > 1:
        raise MechanismError(
            f"expected sequences of one length in '{operation}', got lengths {sorted(filter(None, lengths))}; "
            "gather single elements first"
        )
    return next(iter(lengths), None)


def _dimension(operation: str, kinds: Sequence[Kind]) -> int | None:
    dimensions = {kind.dimension for kind in kinds if isinstance(kind, Real)} - {None}
    if len(dimensions) > 1:
        raise MechanismError(
            f"expected vectors of one dimension in '{operation}', got {sorted(filter(None, dimensions))}; "
            "use vectors of one space"
        )
    return next(iter(dimensions), None)


def _logical(operation: str, kinds: Sequence[Kind]) -> Boolean:
    for kind in kinds:
        if not isinstance(kind, Boolean):
            raise _wrong(operation, "booleans", kind)
    return Boolean(length=_length(operation, kinds))


def _arithmetic(operation: str, left: Kind, right: Kind) -> Kind:
    length = _length(operation, (left, right))
    if isinstance(left, Real) and isinstance(right, Real):
        return Real(dimension=_dimension(operation, (left, right)), length=length)
    for kind in (left, right):
        if not isinstance(kind, Integer | Range):
            raise _wrong(operation, "numbers, all integer or all real,", kind)
    (a, b), (c, d) = _bounds(left), _bounds(right)
    if operation == "add":
        corners = [a + c, b + d]
    elif operation == "subtract":
        corners = [a - d, b - c]
    else:
        corners = [a * c, a * d, b * c, b * d]
    low, high = min(corners), max(corners)
    if max(-low, high) > LARGEST_INTEGER:
        raise MechanismError(
            f"expected integers of absolute value at most 2^62 in '{operation}', got up to {quote(max(-low, high))}; "
            "take a modulo earlier"
        )
    return Range(low=low, high=high, length=length)


def _comparison(expression: Compare, left: Kind, right: Kind) -> Boolean:
    length = _length("compare", (left, right))
    for kind in (left, right):
        if isinstance(kind, Real) and kind.dimension is not None:
            raise _wrong("compare", "single values", kind)
    integers = isinstance(left, Integer | Range) and isinstance(right, Integer | Range)
    reals = isinstance(left, Real) and isinstance(right, Real)
    if not (integers or reals):
        if isinstance(left, Boolean) != isinstance(right, Boolean) or isinstance(left, Real) or isinstance(right, Real):
            raise _wrong("compare", f"two values of one kind ({describe(left)} on the left)", right)
        _common_discrete("compare", left, right, length)
        if expression.relation not in ("eq", "ne"):
            raise _wrong(f"compare by '{expression.relation}'", "numbers", left)
    return Boolean(length=length)


def _selection(condition: Kind, then: Kind, otherwise: Kind) -> Kind:
    if not isinstance(condition, Boolean):
        raise _wrong("select", "a boolean as condition", condition)
    length = _length("select", (condition, then, otherwise))
    if isinstance(then, Real) and isinstance(otherwise, Real):
        return Real(dimension=_dimension("select", (then, otherwise)), length=length)
    if (
        isinstance(then, Real)
        or isinstance(otherwise, Real)
        or isinstance(then, Boolean) != isinstance(otherwise, Boolean)
    ):
        raise _wrong("select", f"two branches of one kind ({describe(then)} first)", otherwise)
    return _common_discrete("select", then, otherwise, length)


def _common_discrete(operation: str, left: Kind, right: Kind, length: int | None) -> Kind:
    """The least kind that holds the values of two kinds, both boolean or both made of integers."""
    if isinstance(left, Boolean):
        return Boolean(length=length)
    (a, b), (c, d) = _bounds(left), _bounds(right)
    if isinstance(left, Category) or isinstance(right, Category):
        sizes = {kind.values for kind in (left, right) if isinstance(kind, Category)}
        size = max(sizes)
        # Plain integers (constants, table entries) name categories; residues and other categories do not.
        if (
            len(sizes) > 1
            or isinstance(left, Integer)
            or isinstance(right, Integer)
            or min(a, c) < 0
            or max(b, d) >= size
        ):
            raise _wrong(operation, f"two values of one kind ({describe(left)} first)", right)
        return Category(values=size, length=length)
    if isinstance(left, Integer) and isinstance(right, Integer) and left.modulus == right.modulus:
        return Integer(modulus=left.modulus, length=length)
    return Range(low=min(a, c), high=max(b, d), length=length)


def _element(sequence: Kind, index: Kind) -> Kind:
    if sequence.length is None:
        raise _wrong("gather", "a sequence", sequence)
    if not isinstance(index, Integer | Range):
        raise _wrong("gather", "an integer as index", index)
    low, high = _bounds(index)
    if low >= sequence.length or high < 0:
        raise MechanismError(
            f"expected an index from 0 to {sequence.length - 1} in 'gather', got {low} to {high}; correct the index"
        )
    return sequence.model_copy(update={"length": index.length})


def _entry(table: Table, arguments: Sequence[Kind]) -> Kind:
    length = _length("table", arguments)
    for i, (kind, size) in enumerate(zip(arguments, table.shape, strict=True)):
        limits = bounds(kind)
        if limits is None:
            raise _wrong("table", "integers, categories or booleans", kind)
        if limits[0] < 0 or limits[1] >= size:
            raise MechanismError(
                f"expected argument {i} of 'table' from 0 to {size - 1}, got {limits[0]} to {limits[1]}; "
                "enlarge the table or take a modulo"
            )
    if table.dimension is not None:
        return Real(dimension=table.dimension, length=length)
    return _literal(table.values, length)


def _bounds(kind: Kind) -> tuple[int, int]:
    limits = bounds(kind)
    if limits is None:
        raise _wrong("arithmetic", "integers", kind)
    return limits


def _wrong(operation: str, expected: str, kind: Kind) -> MechanismError:
    return MechanismError(f"expected {expected} in '{operation}', got {describe(kind)}; change the expression")
