"""Fingerprints of causal models: the same in other names and of other columns, and of nothing else here."""

from collections.abc import Mapping
from itertools import permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rival_networks import FORMULAS, model

from peabench.mechanism import And, Boolean, CausalModel, Implies, Or, Variable, VariableReference, Xor, fingerprint
from peabench.mechanism.renaming import renamed

ROWS = torch.tensor(list(product((0, 1), repeat=3)))


def elsewhere(given_model: CausalModel, columns: Mapping[int, int], names: Mapping[str, str]) -> CausalModel:
    """A model of other columns, in other names, the arguments of its symmetric functions in another order."""
    moved = []
    for variable in given_model.variables:
        function = variable.function
        if isinstance(function, And | Or | Xor):
            function = function.model_copy(update={"arguments": function.arguments[::-1]})
        places = tuple(columns[column] for column in variable.columns)
        moved.append(variable.model_copy(update={"function": function, "columns": places, "description": "moved"}))
    inputs = len(given_model.inputs)
    return renamed(given_model.model_copy(update={"variables": (*moved[inputs - 1 :: -1], *moved[inputs:])}), names)


def tables(given_model: CausalModel, order: tuple[int, ...]) -> frozenset[tuple[bool, ...]]:
    """Truth tables of the inner variables when the columns stand in some order."""
    values = given_model.run(given_model.read_inputs(ROWS[:, list(order)]))
    return frozenset(tuple(values[name].tolist()) for name in given_model.inner)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(FORMULAS)),
    places=st.permutations(range(7)),
    names=st.permutations(["P", "Q", "R", "S", "T"]),
)
def test_neither_names_nor_columns_nor_order_change_a_fingerprint(
    name: str, places: list[int], names: list[str]
) -> None:
    other = elsewhere(model(name), dict(enumerate(places)), dict(zip(["A", "B", "C", "v", "w"], names, strict=True)))
    assert other.to_text() != model(name).to_text()
    assert fingerprint(other) == fingerprint(model(name))


@pytest.mark.parametrize("one", FORMULAS)
@pytest.mark.parametrize("other", FORMULAS)
def test_hypotheses_share_one_exactly_where_some_order_of_the_columns_makes_them_the_same(one: str, other: str) -> None:
    """Held to brute force over all orders: `half` and `other-half` are alike, A and C exchanged."""
    straight = tables(model(one), (0, 1, 2))
    alike = any(tables(model(other), order) == straight for order in permutations(range(3)))
    assert (fingerprint(model(one)) == fingerprint(model(other))) == alike


def implied(premise: str, conclusion: str, read: str) -> CausalModel:
    """Whether one input implies the other, and one of them once more."""
    inputs = tuple(Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate("AB"))
    implies = Implies(premise=VariableReference(name=premise), conclusion=VariableReference(name=conclusion))
    v = Variable(name="v", kind=Boolean(), parents=("A", "B"), function=implies)
    both = And(arguments=(VariableReference(name="v"), VariableReference(name=read)))
    answer = Variable(name="answer", kind=Boolean(), parents=("v", read), function=both)
    return CausalModel(variables=(*inputs, v, answer), output="answer")


def test_what_stands_first_counts_where_a_function_is_not_symmetric() -> None:
    assert fingerprint(implied("A", "B", "A")) == fingerprint(implied("B", "A", "B"))
    assert fingerprint(implied("A", "B", "A")) != fingerprint(implied("A", "B", "B"))


def test_inputs_that_nobody_reads_do_not_count() -> None:
    plain = model("factored")
    idle = plain.variables[0].model_copy(update={"name": "idle", "columns": (3,)})
    assert fingerprint(plain.model_copy(update={"variables": (idle, *plain.variables)})) == fingerprint(plain)
