"""The catalogue: one function for each table, by many ways, none of which is another told in other words."""

from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Bool

from peabench_tasks.boolean.formulas import Formula, all_inputs
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.ways.terms import AND, OR, XOR, Term, formula_of

LETTERS = {letter: f"x{column}" for column, letter in enumerate("ABCD")}
ROWS = all_inputs(len(LETTERS))


def formulas(table: str) -> list[Formula]:
    return [formula_of(term, LETTERS, len(LETTERS)) for term in TABLES[table]]


def brute(term: Term | str, row: dict[str, bool]) -> bool:
    """A term's value by the words' meaning, without the code that compiles it."""
    if isinstance(term, str):
        return row[term[-1]] != term.startswith("~")
    bits = [brute(operand, row) for operand in term.operands]
    value = {
        "and": all(bits),
        "or": any(bits),
        "xor": sum(bits) % 2 == 1,
        "majority": sum(bits) > len(bits) / 2,
    }[term.operation]
    return value != term.negated


def partition(values: Bool[np.ndarray, " row"]) -> bytes:
    """The same for a variable and for its negation."""
    return (values if not values[0] else ~values).tobytes()


def claims(formula: Formula) -> set[bytes]:
    values = formula.run(ROWS)
    return {partition(values[gate.name]) for gate in formula.gates[:-1]}


def coarser(among: list[set[bytes]]) -> list[tuple[int, int]]:
    return [(i, j) for i, one in enumerate(among) for j, other in enumerate(among) if i != j and one <= other]


def test_there_are_enough_tables_with_enough_rivals() -> None:
    assert len(TABLES) >= 7
    assert min(map(len, TABLES.values())) >= 9
    outputs = [formulas(table)[0].run(ROWS)["output"] for table in TABLES]
    assert len({partition(output) for output in outputs}) == len(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_all_terms_of_a_table_compute_one_function(table: str) -> None:
    rows = [dict(zip(LETTERS, map(bool, row), strict=True)) for row in ROWS]
    wanted = [brute(TABLES[table][0], row) for row in rows]
    for term, formula in zip(TABLES[table], formulas(table), strict=True):
        assert [brute(term, row) for row in rows] == wanted
        assert formula.run(ROWS)["output"].tolist() == wanted


@pytest.mark.parametrize("table", TABLES)
def test_no_term_s_variables_are_all_among_another_s(table: str) -> None:
    found = formulas(table)
    output = partition(found[0].run(ROWS)["output"])
    assert coarser([claims(formula) for formula in found]) == []
    assert not any(output in claims(formula) for formula in found)


def test_a_variable_by_another_name_is_the_same_claim() -> None:
    terms = [AND("B", OR("A", "C")), AND("B", ~AND("~A", "~C")), AND("B", OR("A", "C"), OR("A", "B"))]
    told = [claims(formula_of(term, LETTERS, len(LETTERS))) for term in terms]
    assert coarser(told) == [(0, 1), (0, 2), (1, 0), (1, 2)]


@pytest.mark.parametrize("table", TABLES)
def test_every_variable_decides_somewhere(table: str) -> None:
    for formula in formulas(table):
        assert min(formula.influence(ROWS).values()) > 0


def test_the_dual_flips_the_output_where_all_letters_are_flipped() -> None:
    terms = [AND("B", OR("A", "~C")), XOR("A", AND("B", "C")), XOR("A", "B", OR("C", "D")), OR("A", ~XOR("B", "C"))]
    for term in terms:
        for row in ROWS:
            plain = dict(zip(LETTERS, map(bool, row), strict=True))
            flipped = {letter: not value for letter, value in plain.items()}
            assert brute(term.dual(), flipped) != brute(term, plain)


def test_a_subterm_that_is_read_twice_is_one_gate() -> None:
    inner = OR("A", "C")
    formula = formula_of(OR(AND("B", inner), AND("D", ~inner)), LETTERS, 5)
    assert [gate.operation for gate in formula.gates] == ["or", "and", "and", "or"]
    assert formula.gates[2].literals == (("x3", False), ("g0", True))
    assert formula.gates[-1].name == "output"


def test_bystanders_are_gates_that_the_output_does_not_need() -> None:
    term, beside = AND("B", OR("A", "C")), AND("A", "B")
    with_bystander = formula_of(term, LETTERS, 4, [beside])
    assert [gate.name for gate in with_bystander.gates] == ["g0", "b0", "output"]
    without = replace(with_bystander, gates=tuple(g for g in with_bystander.gates if g.name != "b0"))
    assert without.gates == formula_of(term, LETTERS, 4).gates
