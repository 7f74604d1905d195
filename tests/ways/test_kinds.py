"""The ways: one function for each family, by variables of which no way has all of another's."""

import numpy as np
import pytest
from jaxtyping import Bool

from peabench_tasks.boolean.formulas import all_inputs
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.multitask_parity.ways import KINDS
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.sparse_parity.ways import counts, kinds, splits
from peabench_tasks.ways.kinds import OF_A_KIND, OfKinds
from peabench_tasks.ways.terms import XOR, Term, formula_of

Rows = Bool[np.ndarray, "row letter"]
LETTERS = {"sparse": "ABCD", "multitask": "SABCD"}
WAYS = {"sparse": kinds("ABCD"), "multitask": KINDS}


def asked(family: str, rows: Rows) -> Bool[np.ndarray, " row"]:
    """The function by the words' meaning."""
    letters = rows.T
    wanted: Bool[np.ndarray, " row"] = np.bitwise_xor.reduce(letters)
    if family == "multitask":
        one, other = letters[1] ^ letters[2], letters[3] ^ letters[4]
        wanted = np.where(letters[0], one, other)
    return wanted


def values(family: str, term: Term) -> dict[str, Bool[np.ndarray, " row"]]:
    letters = LETTERS[family]
    inputs = {letter: f"x{column}" for column, letter in enumerate(letters)}
    return formula_of(term, inputs, len(letters)).run(all_inputs(len(letters)))


def partition(some: Bool[np.ndarray, " row"]) -> bytes:
    """The same for a variable and for its negation."""
    return (some if not some[0] else ~some).tobytes()


def claims(family: str, term: Term) -> set[bytes]:
    return {partition(value) for name, value in values(family, term).items() if name.startswith("g")}


@pytest.mark.parametrize("family", WAYS)
def test_every_way_computes_the_function(family: str) -> None:
    wanted = asked(family, all_inputs(len(LETTERS[family])))
    for kind in WAYS[family]:
        for term in kind:
            assert np.array_equal(values(family, term)["output"], wanted)


@pytest.mark.parametrize("family", WAYS)
def test_no_way_is_another_told_in_less(family: str) -> None:
    told = [claims(family, term) for kind in WAYS[family] for term in kind]
    assert not any(one <= other for i, one in enumerate(told) for j, other in enumerate(told) if i != j)
    output = partition(asked(family, all_inputs(len(LETTERS[family]))))
    assert not any(output in claimed for claimed in told)


def test_the_ways_are_all_splits_in_two_and_all_counts() -> None:
    assert [len(kind) for kind in kinds("ABCD")] == [4, 3, 8]
    assert len(list(splits("ABCDE"))) == 15
    assert len(list(splits("ABCDEF"))) == 31


def test_counting_the_others_is_no_other_way() -> None:
    (same,) = [
        term for term in counts("ABCD") if claims("sparse", term) == claims("sparse", counted("~A", "~B", "~C", "~D"))
    ]
    assert claims("sparse", same) == claims("sparse", counted("A", "B", "C", "D"))


def counted(*literals: str) -> Term:
    return XOR(Term("exactly_1", literals), Term("exactly_3", literals))


def serves(term: Term) -> set[tuple[bool, bool]]:
    """For each variable, whether flipping it ever changes the output of the first subtask, and of the second."""
    letters = LETTERS["multitask"]
    rows = all_inputs(len(letters))
    formula = formula_of(term, {letter: f"x{column}" for column, letter in enumerate(letters)}, len(letters))
    plain, first = formula.run(rows), rows[:, 0]
    found = set()
    for gate in formula.gates[:-1]:
        changed = formula.run(rows, {gate.name: ~plain[gate.name]})["output"] != plain["output"]
        found.add((bool(changed[first].any()), bool(changed[~first].any())))
    return found


def test_a_way_says_which_variable_serves_which_subtask() -> None:
    of_its_own, shared, leaning = KINDS
    assert serves(of_its_own[0]) == {(True, False), (False, True)}
    assert all(serves(term) == {(True, True)} for term in shared)
    assert all((True, True) in serves(term) for term in leaning)


@pytest.mark.parametrize("family", [SparseParity, MultitaskParity])
def test_questions_ask_equally_much_of_every_kind(family: type[OfKinds]) -> None:
    for specification in family.listed():
        for number, way in enumerate(specification.ways):
            assert way in specification.kinds[number // OF_A_KIND]
        assert len(set(specification.ways)) == len(specification.ways) >= 9
