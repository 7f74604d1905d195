"""Variables that look their value up in a table of their parents' values."""

from collections.abc import Callable, Sequence
from itertools import product

from peabench.mechanism import Boolean, Kind, Table, Variable, VariableReference
from peabench_tasks.units.codes import values_of


def lookup(name: str, kind: Kind, parents: Sequence[Variable], function: Callable[..., int]) -> Variable:
    """A variable that is a function of others.

    Args:
        name: of the variable.
        kind: of the variable; its values are numbered from 0.
        parents: what it reads.
        function: number of its value for numbers of its parents' values, in their order.
    """
    shape = tuple(values_of(parent.kind) for parent in parents)
    values = [function(*row) for row in product(*map(range, shape))]
    table = tuple(map(bool, values)) if isinstance(kind, Boolean) else tuple(values)
    return Variable(
        name=name,
        kind=kind,
        parents=tuple(parent.name for parent in parents),
        function=Table(
            arguments=tuple(VariableReference(name=parent.name) for parent in parents), shape=shape, values=table
        ),
    )


def lookup_needed(name: str, kind: Kind, parents: Sequence[Variable], function: Callable[..., int]) -> Variable:
    """The same of those parents alone that the function depends on."""
    sizes = [values_of(parent.kind) for parent in parents]
    rows = list(product(*map(range, sizes)))
    used = [
        i
        for i, size in enumerate(sizes)
        if any(function(*row) != function(*row[:i], v, *row[i + 1 :]) for row in rows for v in range(size))
    ]

    def of_used(*values: int) -> int:
        given = dict(zip(used, values, strict=True))
        return function(*(given.get(i, 0) for i in range(len(parents))))

    return lookup(name, kind, [parents[i] for i in used], of_used)
