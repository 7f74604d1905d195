"""Kinds of expressions: what is inferred, broadcast and compared, and what is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.mechanism.expression_trees import ENVIRONMENT, PS, N, P, X, ref

from peabench.mechanism import (
    Add,
    And,
    Boolean,
    Category,
    Compare,
    Constant,
    Count,
    Gather,
    Integer,
    Kind,
    MechanismError,
    Modulo,
    Multiply,
    Negate,
    Not,
    Range,
    Real,
    Select,
    Table,
    evaluate,
    infer,
)


def test_extra_batch_axes_broadcast_with_sequences() -> None:
    tree = Gather(sequence=ref("ks"), index=ref("i"))
    kinds: dict[str, Kind] = {"ks": Integer(modulus=9, length=3), "i": Integer(modulus=3)}
    sequence = torch.tensor([[0, 1, 2], [3, 4, 5]])
    index = torch.tensor([[0], [2]])
    assert evaluate(tree, {"ks": sequence, "i": index}, kinds).tolist() == [[0, 3], [2, 5]]


def test_vectors_are_scaled_added_selected_and_gathered() -> None:
    kinds: dict[str, Kind] = {"v": Real(dimension=2), "vs": Real(dimension=2, length=3), "x": Real(), "p": Boolean()}
    values = {
        "v": torch.tensor([[1.0, 2.0]], dtype=torch.float64),
        "vs": torch.arange(6, dtype=torch.float64).reshape(1, 3, 2),
        "x": torch.tensor([3.0], dtype=torch.float64),
        "p": torch.tensor([True]),
    }
    scaled = Multiply(arguments=(ref("x"), ref("v")))
    assert infer(scaled, kinds) == Real(dimension=2)
    assert evaluate(scaled, values, kinds).tolist() == [[3.0, 6.0]]
    summed = Add(arguments=(ref("vs"), ref("v")))
    assert infer(summed, kinds) == Real(dimension=2, length=3)
    assert evaluate(summed, values, kinds).tolist() == [[[1.0, 3.0], [3.0, 5.0], [5.0, 7.0]]]
    chosen = Select(condition=ref("p"), then=ref("vs"), otherwise=ref("x"))
    assert evaluate(chosen, values, kinds).tolist() == values["vs"].tolist()
    element = Gather(sequence=ref("vs"), index=Constant(value=1))
    assert infer(element, kinds) == Real(dimension=2)
    assert evaluate(element, values, kinds).tolist() == [[2.0, 3.0]]
    table = Table(arguments=(ref("p"),), shape=(2,), dimension=2, values=(0.0, 1.0, 2.0, 3.0))
    assert infer(table, kinds) == Real(dimension=2)
    assert evaluate(table, values, kinds).tolist() == [[2.0, 3.0]]


def test_categories_compare_with_each_other_and_with_constants_only() -> None:
    kinds: dict[str, Kind] = {"c": Category(values=3), "d": Category(values=4), "i": Integer(modulus=3)}
    same = Compare(relation="eq", left=ref("c"), right=Constant(value=2))
    assert evaluate(same, {"c": torch.tensor([0, 2])}).tolist() == [False, True]
    assert infer(same, kinds) == Boolean()
    assert infer(Select(condition=same, then=ref("c"), otherwise=Constant(value=0)), kinds) == Category(values=3)
    for right in (ref("d"), ref("i"), Constant(value=3), Constant(value=True), Constant(value=1.0)):
        with pytest.raises(MechanismError, match="expected two values of one kind"):
            infer(Compare(relation="eq", left=ref("c"), right=right), kinds)
    with pytest.raises(MechanismError, match="compare by 'lt'"):
        infer(Compare(relation="lt", left=ref("c"), right=ref("c")), kinds)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (ref("unknown"), "expected a variable that is in scope, got 'unknown'"),
        (Not(argument=N), "expected booleans in 'not', got integer modulo 5"),
        (And(arguments=(P, X)), "expected booleans in 'and', got real number"),
        (Add(arguments=(N, X)), "expected numbers, all integer or all real, in 'add', got real number"),
        (Add(arguments=(N, P)), "expected numbers, all integer or all real, in 'add', got boolean"),
        (Negate(argument=P), "expected numbers, all integer or all real, in 'subtract', got boolean"),
        (Modulo(argument=X, modulus=2), "expected an integer in 'modulo', got real number"),
        (Compare(relation="eq", left=P, right=N), r"expected two values of one kind \(boolean on the left\)"),
        (Compare(relation="lt", left=P, right=P), "expected numbers in 'compare by 'lt''"),
        (Select(condition=N, then=P, otherwise=P), "expected a boolean as condition in 'select'"),
        (Select(condition=P, then=P, otherwise=X), "expected two branches of one kind"),
        (Gather(sequence=P, index=N), "expected a sequence in 'gather', got boolean"),
        (Gather(sequence=PS, index=P), "expected an integer as index in 'gather', got boolean"),
        (Gather(sequence=PS, index=Constant(value=3)), "expected an index from 0 to 2 in 'gather', got 3 to 3"),
        (Count(sequence=P), "expected a boolean sequence in 'count', got boolean"),
        (Table(arguments=(X,), shape=(2,), values=(0, 1)), "expected integers, categories or booleans in 'table'"),
        (Table(arguments=(N,), shape=(2,), values=(0, 1)), "expected argument 0 of 'table' from 0 to 1, got 0 to 4"),
        (And(arguments=(PS, Constant(value=(True, False)))), "expected sequences of one length"),
        (Multiply(arguments=(Constant(value=2**40), Constant(value=2**40))), "at most 2\\^62 in 'multiply'"),
    ],
)
def test_ill_typed_trees_are_refused_in_one_sentence(tree: Any, message: str) -> None:
    with pytest.raises(MechanismError, match=message) as caught:
        infer(tree, ENVIRONMENT)
    assert "\n" not in str(caught.value)


def test_an_index_outside_its_sequence_or_table_is_a_clear_error() -> None:
    values = {"s": torch.zeros(2, 3, dtype=torch.bool), "i": torch.tensor([0, -1])}
    kinds: dict[str, Kind] = {"s": Boolean(length=3), "i": Range(low=-1, high=5)}
    with pytest.raises(MechanismError, match="expected indices from 0 to 2 in 'gather', got -1"):
        evaluate(Gather(sequence=ref("s"), index=ref("i")), values, kinds)
    with pytest.raises(MechanismError, match="expected indices from 0 to 1 in 'table', got 5"):
        evaluate(Table(arguments=(ref("i"),), shape=(2,), values=(0, 1)), {"i": torch.tensor([5])})
    with pytest.raises(MechanismError, match="pass an environment"):
        evaluate(Count(sequence=ref("s")), values)
    with pytest.raises(MechanismError, match="expected values of variable 'p', got none"):
        evaluate(P, {})
