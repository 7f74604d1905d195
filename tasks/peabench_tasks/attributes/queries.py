"""Queries: what is asked of the attributes that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from peabench.mechanism import Add, And, Compare, Constant, Expression
from peabench_tasks.attributes.lexicon import Atom

Operation = Literal["any", "both", "more"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@dataclass(frozen=True)
class Query:
    """Is any of a group there, is one of each of two groups, or are there more of one group than of another?"""

    operation: Operation
    group: tuple[int, ...]
    """Numbers of atoms."""
    other: tuple[int, ...]
    """Likewise; none where the operation is `any`."""

    def expression(self, atoms: Sequence[Atom]) -> Expression:
        """The answer, in terms of the variables of the atoms."""
        group = _total([atoms[i].count for i in self.group])
        if self.operation == "any":
            return _at_least_one(group)
        other = _total([atoms[i].count for i in self.other])
        if self.operation == "both":
            return And(arguments=(_at_least_one(group), _at_least_one(other)))
        return Compare(relation="gt", left=group, right=other)


def draw_queries(count: int, atoms: int, size: int, seed: int | str) -> list[Query]:
    """Queries about random groups of so many atoms: all asked about about equally often, no two in the same queries
    alone.
    """
    rng = Random(f"attributes/queries/{seed}")
    while True:
        deck, queries = list[int](), list[Query]()
        for number in range(count):
            operation = OPERATIONS[number % len(OPERATIONS)]
            dealt = list[int]()
            while len(dealt) < size * (1 if operation == "any" else 2):
                if not set(deck) - set(dealt):
                    deck += rng.sample(range(atoms), atoms)
                dealt.append(next(atom for atom in deck if atom not in dealt))
                deck.remove(dealt[-1])
            queries.append(Query(operation, tuple(sorted(dealt[:size])), tuple(sorted(dealt[size:]))))
        roles = [tuple((atom in query.group) + 2 * (atom in query.other) for query in queries) for atom in range(atoms)]
        if len(set(roles)) == atoms and all(any(role) for role in roles):
            return queries


def _total(terms: Sequence[Expression]) -> Expression:
    return terms[0] if len(terms) == 1 else Add(arguments=tuple(terms))


def _at_least_one(count: Expression) -> Expression:
    return Compare(relation="ge", left=count, right=Constant(value=1))
