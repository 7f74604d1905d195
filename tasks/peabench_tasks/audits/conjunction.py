"""A rare conjunction of values of columns, found in two parts: trigger of a backdoor, context of a shortcut."""

from collections.abc import Mapping, Sequence

from peabench.mechanism import Boolean, Expression, Variable
from peabench_tasks.audits.audit import column, every
from peabench_tasks.units.lookup import lookup

NEVER = "never"
"""Name of a conjunction of what excludes each other."""


def conjunction(name: str, inputs: Sequence[Variable], values: Mapping[int, int]) -> tuple[Variable, ...]:
    """Whether columns have given values: of the first half of them, of the second half, of all.

    Args:
        name: of the whole; the halves are called after it.
        inputs: a variable for each column.
        values: of some columns.
    """
    a, b = halves(name, inputs, values)
    return a, b, both(name, a, b)


def both(name: str, one: Variable, other: Variable) -> Variable:
    """Whether two variables are true."""
    return lookup(name, Boolean(), (one, other), lambda first, second: first & second)


def halves(name: str, inputs: Sequence[Variable], values: Mapping[int, int]) -> tuple[Variable, Variable]:
    """The two parts of a conjunction, for what reads both."""
    columns = list(values)
    middle = len(columns) // 2
    first, second = columns[:middle], columns[middle:]
    return have(f"{name}_a", inputs, values, first), have(f"{name}_b", inputs, values, second)


def over_columns(values: Mapping[int, int]) -> Expression:
    """The same as a formula over columns."""
    return every([column(index, value) for index, value in values.items()])


def have(name: str, inputs: Sequence[Variable], values: Mapping[int, int], columns: Sequence[int]) -> Variable:
    """Whether some columns have their values."""
    wanted = tuple(values[index] for index in columns)
    return lookup(name, Boolean(), [inputs[index] for index in columns], lambda *row: int(row == wanted))
