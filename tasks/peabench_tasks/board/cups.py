"""Cups and a ball: where the ball is after each exchange of two cups."""

from peabench.mechanism import Category, CausalModel, Variable
from peabench_tasks.units.lookup import lookup

CUPS = 3
MOVES = 4
EXCHANGES = ((0, 1), (0, 2), (1, 2))


def exchanged(cup: int, exchange: int) -> int:
    """Where the ball is once two cups were exchanged.

    >>> [exchanged(cup, 0) for cup in range(3)]
    [1, 0, 2]
    """
    one, other = EXCHANGES[exchange]
    return {one: other, other: one}.get(cup, cup)


def cups_and_ball() -> CausalModel:
    """Where the ball is after each exchange; the last one is the output."""
    cup = Category(values=CUPS)
    inputs = [Variable(name="start", kind=cup, columns=(0,))]
    inputs += [
        Variable(name=f"move{i + 1}", kind=Category(values=len(EXCHANGES)), columns=(i + 1,)) for i in range(MOVES)
    ]
    where, made = inputs[0], list(inputs)
    for i in range(MOVES):
        where = lookup(f"ball{i + 1}", cup, (where, inputs[i + 1]), exchanged)
        made.append(where)
    return CausalModel(variables=tuple(made), output=f"ball{MOVES}")
