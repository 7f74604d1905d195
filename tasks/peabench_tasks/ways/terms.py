"""Nested terms over letters, as the catalogue writes them, and the Boolean formulas that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from peabench_tasks.boolean.formulas import Formula, Gate


@dataclass(frozen=True)
class Term:
    """An operation of `peabench_tasks.boolean.formulas.OPERATIONS` on letters (`~A` is A negated) and on terms."""

    operation: str
    operands: tuple[Term | str, ...]
    negated: bool = False
    """Whether the reader takes the opposite; the variable is the same."""

    def __invert__(self) -> Term:
        return replace(self, negated=not self.negated)

    def subterms(self) -> Iterator[Term]:
        """The terms below, each once and none negated, then the term itself."""
        found: dict[Term, None] = {}
        for operand in self.operands:
            if isinstance(operand, Term):
                found.update(dict.fromkeys(operand.subterms()))
        found[replace(self, negated=False)] = None
        yield from found

    def letters(self) -> set[str]:
        """The letters read."""
        below = [operand.letters() if isinstance(operand, Term) else {operand[-1]} for operand in self.operands]
        return set().union(*below)

    def dual(self) -> Term:
        """The same with AND and OR exchanged: its value where every letter is flipped, flipped."""
        operands = tuple(operand.dual() if isinstance(operand, Term) else operand for operand in self.operands)
        operation = {"and": "or", "or": "and"}.get(self.operation, self.operation)
        flips = self.operation == "xor" and len(self.operands) % 2 == 0
        return Term(operation, operands, self.negated != flips)


def AND(*operands: Term | str) -> Term:  # the catalogue reads as formulas do
    """All of them."""
    return Term("and", operands)


def OR(*operands: Term | str) -> Term:
    """At least one."""
    return Term("or", operands)


def XOR(*operands: Term | str) -> Term:
    """An odd number."""
    return Term("xor", operands)


def MAJ(*operands: Term | str) -> Term:
    """More than half."""
    return Term("majority", operands)


def formula_of(term: Term, inputs: Mapping[str, str], n_inputs: int, bystanders: Sequence[Term] = ()) -> Formula:
    """One gate for each subterm, in topological order, `g0`, `g1`, ...; the last one is `output`.

    Args:
        term: not negated: a gate writes it.
        inputs: the input that each letter is.
        n_inputs: inputs in all, those that no letter is included.
        bystanders: subterms of this term or of others, each behind its own, computed beside those of the term, as `b0`,
            `b1`, ...; where a subterm is the term's too, the term's is read.
    """
    *below, root = term.subterms()
    own = {sub: f"g{number}" for number, sub in enumerate(below)} | {root: "output"}
    beside = {sub: f"b{number}" for number, sub in enumerate(bystanders)}
    names = beside | own

    def literal(operand: Term | str) -> tuple[str, bool]:
        if isinstance(operand, Term):
            return names[replace(operand, negated=False)], operand.negated
        return inputs[operand[-1]], operand.startswith("~")

    written = [*((own[sub], sub) for sub in below), *((beside[sub], sub) for sub in bystanders), ("output", root)]
    gates = (Gate(name, sub.operation, tuple(map(literal, sub.operands))) for name, sub in written)
    return Formula(n_inputs, tuple(gates))
