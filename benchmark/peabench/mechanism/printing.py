"""Expressions as readable text: `(a ∧ ¬b) ⊕ maj(c, d, e)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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

LONGEST_TEXT = 100_000
"""Characters of the longest text that is printed for one formula."""
SHOWN_ENTRIES = 16
"""Entries of a table or a constant sequence that are printed; the rest is counted."""

_INFIX = {"and": " ∧ ", "or": " ∨ ", "xor": " ⊕ ", "add": " + ", "multiply": " · "}  # noqa: RUF001 - the signs of logic are meant
_RELATIONS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}


@dataclass(frozen=True)
class Text:
    """A printed expression and whether it stands without brackets inside another."""

    text: str
    closed: bool = True

    @property
    def operand(self) -> str:
        """The text as part of a larger formula."""
        return self.text if self.closed else f"({self.text})"


def to_text(expression: Expression) -> str:
    """An expression as readable text.

    >>> to_text(And(arguments=(VariableReference(name="a"), Not(argument=VariableReference(name="b")))))
    'a ∧ ¬b'
    """
    return render(expression, {}).text


def render(expression: Expression, definitions: Mapping[str, Text]) -> Text:
    """Printed form of an expression, with the variables of `definitions` written out as given there.

    Raises:
        MechanismError: where the text would pass `LONGEST_TEXT` characters.
    """
    result = _render(expression, definitions)
    if len(result.text) > LONGEST_TEXT:
        raise MechanismError(
            f"expected a formula of at most {LONGEST_TEXT} characters, got {len(result.text)}; print it per variable"
        )
    return result


def _render(expression: Expression, definitions: Mapping[str, Text]) -> Text:
    def inner(child: Expression) -> Text:
        return render(child, definitions)

    match expression:
        case VariableReference(name=name):
            return definitions.get(name, Text(name))
        case Constant(value=value):
            return Text(_listed(value) if isinstance(value, tuple) else _literal(value))
        case Not(argument=argument):
            return Text(f"¬{inner(argument).operand}")
        case And() | Or() | Xor() | Add() | Multiply():
            operands = [inner(argument).operand for argument in expression.arguments]
            return Text(_INFIX[expression.op].join(operands), closed=False)
        case Implies(premise=premise, conclusion=conclusion):
            return Text(f"{inner(premise).operand} → {inner(conclusion).operand}", closed=False)
        case Majority(arguments=arguments):
            return Text(f"maj({', '.join(inner(argument).text for argument in arguments)})")
        case Subtract(left=left, right=right):
            return Text(f"{inner(left).operand} - {inner(right).operand}", closed=False)
        case Negate(argument=argument):
            return Text(f"-{inner(argument).operand}", closed=False)
        case Modulo(argument=argument, modulus=modulus):
            return Text(f"{inner(argument).operand} mod {modulus}", closed=False)
        case Compare(relation=relation, left=left, right=right):
            return Text(f"{inner(left).operand} {_RELATIONS[relation]} {inner(right).operand}", closed=False)
        case Select(condition=condition, then=then, otherwise=otherwise):
            return Text(
                f"if {inner(condition).operand} then {inner(then).operand} else {inner(otherwise).operand}",
                closed=False,
            )
        case Gather(sequence=sequence, index=index):
            return Text(f"{inner(sequence).operand}[{inner(index).text}]")
        case Count(sequence=sequence):
            return Text(f"count({inner(sequence).text})")
        case Table(arguments=arguments):
            return _table(expression, [inner(argument) for argument in arguments])


def _table(table: Table, arguments: Sequence[Text]) -> Text:
    """What is looked up, as logic where it is no more than that; of a long table only how much it holds.

    Arguments on which no entry depends are left out.
    """
    values: Sequence[bool] | Sequence[int] | Sequence[float] = table.values
    shape = table.shape
    if table.dimension is None:
        values, shape, arguments = _needed(table, arguments)
        if not arguments:
            return Text(_literal(values[0]))
        if len(arguments) == 1 and values == tuple(range(len(values))):
            return arguments[0]
    logical = isinstance(values[0], bool)
    for odd, sign in ((True, "and"), (False, "or")):
        if logical and len(values) > 1 and values.count(odd) == 1:
            row = np.unravel_index(values.index(odd), shape)
            held = [_holding(*one, odd) for one in zip(arguments, shape, map(int, row), strict=True)]
            return held[0] if len(held) == 1 else Text(_INFIX[sign].join(one.operand for one in held), closed=False)
    if logical and set(shape) == {2} and values in (both := parities(len(arguments))):
        whole = Text(_INFIX["xor"].join(argument.operand for argument in arguments), closed=False)
        return whole if values == both[0] else Text(f"¬{whole.operand}")
    entries = _listed(values)
    if len(values) > SHOWN_ENTRIES:
        entries = f"({f'true at {sum(values)} of {len(values)}' if logical else f'{len(values)} entries'})"
    return Text(f"table{entries}[{', '.join(argument.text for argument in arguments)}]")


def _needed(
    table: Table, arguments: Sequence[Text]
) -> tuple[Sequence[bool] | Sequence[int] | Sequence[float], tuple[int, ...], Sequence[Text]]:
    """Entries, sizes and arguments of a table without what its entries do not depend on."""
    entries, kept = np.array(table.values).reshape(table.shape), list(arguments)
    for axis in reversed(range(len(kept))):
        first = entries.take(0, axis)
        if bool((entries == np.expand_dims(first, axis)).all()):
            entries = first
            del kept[axis]
    return tuple(entries.reshape(-1).tolist()), entries.shape, kept


def parities(count: int) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Whether an odd number of so many Boolean arguments is true, row by row of a table, and whether an even one is."""
    odd = tuple(row.bit_count() % 2 == 1 for row in range(2**count))
    return odd, tuple(not value for value in odd)


def _holding(argument: Text, size: int, value: int, equal: bool) -> Text:
    """That an argument of so many values has this one, or another."""
    if size == len((False, True)):
        return argument if bool(value) == equal else Text(f"¬{argument.operand}")
    return Text(f"{argument.operand} {_RELATIONS['eq' if equal else 'ne']} {value}", closed=False)


def _literal(value: bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(values: Sequence[bool] | Sequence[int] | Sequence[float]) -> str:
    shown = [_literal(value) for value in values[:SHOWN_ENTRIES]]
    rest = len(values) - len(shown)
    return f"({', '.join(shown)}{f', … {rest} more' if rest else ''})"
