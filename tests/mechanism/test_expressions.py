"""Expressions: random well-typed trees against a plain-Python interpreter, JSON, limits and text."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.mechanism.expression_trees import (
    ENVIRONMENT,
    J,
    N,
    OutOfBounds,
    P,
    X,
    any_tree,
    batched,
    examples,
    interpret,
    ref,
)

from peabench.mechanism import (
    Add,
    And,
    Boolean,
    Compare,
    Constant,
    Count,
    Expression,
    Gather,
    Implies,
    Majority,
    MechanismError,
    Modulo,
    Negate,
    Not,
    Or,
    Select,
    Subtract,
    Table,
    Xor,
    bounds,
    evaluate,
    infer,
    to_text,
    trailing_shape,
    variables,
)

EXPRESSION: TypeAdapter[Any] = TypeAdapter(Expression)


@settings(max_examples=100, deadline=None)
@given(any_tree(), st.lists(examples(), min_size=1, max_size=4))
def test_random_trees_agree_with_a_plain_python_interpreter(tree: Any, batch: list[dict[str, Any]]) -> None:
    complaint = ""
    try:
        kind = infer(tree, ENVIRONMENT)
    except MechanismError as error:
        complaint = str(error)
    if complaint:
        # The generator makes well-typed trees, save for constant indices that can only be out of bounds
        # and products of integers that could overflow.
        assert "in 'gather'" in complaint or "2^62" in complaint
        return
    data = json.loads(tree.model_dump_json())
    try:
        expected = [interpret(data, example) for example in batch]
    except OutOfBounds:
        with pytest.raises(MechanismError, match="indices from 0 to 2 in 'gather'"):
            evaluate(tree, batched(batch), ENVIRONMENT)
        return
    result = evaluate(tree, batched(batch), ENVIRONMENT)
    result = result.expand(len(batch), *trailing_shape(kind))
    assert result.tolist() == expected
    limits = bounds(kind)
    if limits is not None:
        assert limits[0] <= int(result.min()) <= int(result.max()) <= limits[1]


@settings(max_examples=60, deadline=None)
@given(any_tree())
def test_json_round_trip_gives_the_same_tree(tree: Any) -> None:
    text = tree.model_dump_json()
    assert EXPRESSION.validate_json(text, strict=True) == tree
    assert EXPRESSION.validate_json(text, strict=True).model_dump_json() == text


def outside_tables(tree: Any) -> set[str]:
    """Names of the variables that stand under no table, which need not depend on its arguments."""
    if isinstance(tree, dict):
        own = {tree["name"]} if tree.get("op") == "variable" else set()
        return set() if tree.get("op") == "table" else own.union(*map(outside_tables, tree.values()))
    return set().union(*map(outside_tables, tree)) if isinstance(tree, tuple | list) else set()


@settings(max_examples=60, deadline=None)
@given(any_tree())
def test_a_text_mentions_every_variable_but_those_that_a_table_does_not_depend_on(tree: Any) -> None:
    text = to_text(tree)
    assert text.splitlines() == [text]
    named = outside_tables(tree.model_dump())
    assert named <= variables(tree)
    assert all(name in text for name in named)


def nested(levels: int) -> str:
    return '{"op":"not","argument":' * (levels - 1) + '{"op":"variable","name":"p"}' + "}" * (levels - 1)


def test_depth_and_size_are_limited_without_a_recursion_error() -> None:
    deepest = EXPRESSION.validate_json(nested(64))
    assert infer(deepest, ENVIRONMENT) == Boolean()
    assert to_text(deepest) == "¬" * 63 + "p"
    assert evaluate(deepest, {"p": torch.tensor([True])}).tolist() == [False]
    for levels in (65, 100, 500, 200_000):
        with pytest.raises(ValidationError, match=r"at most 64 levels deep|recursion limit exceeded"):
            EXPRESSION.validate_json(nested(levels))
    with pytest.raises(ValidationError, match="at most 64 levels"):
        Not(argument=deepest)
    with pytest.raises(ValidationError, match="at most 10000 nodes, got 10001"):
        Or(arguments=(P,) * 10_000)
    # A graph of few objects, but a tree of exponentially many nodes.
    shared: Any = P
    for _ in range(12):
        shared = Xor(arguments=(shared, shared))
    with pytest.raises(ValidationError, match="at most 10000 nodes, got 16383"):
        Xor(arguments=(shared, shared))


@pytest.mark.parametrize(
    "data",
    [
        {"op": "eval", "code": "1"},
        {"op": "not", "argument": {"op": "variable", "name": "p"}, "extra": 1},
        {"op": "variable", "name": "p q"},
        {"op": "variable", "name": "p\n"},
        {"op": "constant", "value": None},
        {"op": "constant", "value": "1"},
        {"op": "constant", "value": [True, 1]},
        {"op": "constant", "value": []},
        {"op": "constant", "value": 2**63},
        {"op": "constant", "value": float("nan")},
        {"op": "majority", "arguments": [{"op": "variable", "name": "p"}] * 4},
        {"op": "and", "arguments": [{"op": "variable", "name": "p"}]},
        {"op": "modulo", "argument": {"op": "variable", "name": "i"}, "modulus": 0},
        {"op": "table", "arguments": [{"op": "variable", "name": "i"}], "shape": [2, 2], "values": [0, 1, 2, 3]},
        {"op": "table", "arguments": [{"op": "variable", "name": "i"}], "shape": [5], "values": [0, 1, 2, 3]},
    ],
)
def test_malformed_nodes_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EXPRESSION.validate_python(data)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (Xor(arguments=(And(arguments=(P, Not(argument=ref("q")))), ref("r"))), "(p ∧ ¬q) ⊕ r"),
        (Not(argument=Or(arguments=(P, ref("q")))), "¬(p ∨ q)"),  # noqa: RUF001
        (Implies(premise=P, conclusion=Majority(arguments=(P, ref("q"), ref("r")))), "p → maj(p, q, r)"),
        (Modulo(argument=Add(arguments=(N, J)), modulus=7), "(i + j) mod 7"),
        (Compare(relation="le", left=Subtract(left=N, right=J), right=Constant(value=-2)), "(i - j) ≤ -2"),
        (Select(condition=P, then=X, otherwise=Constant(value=0.5)), "if p then x else 0.5"),
        (Gather(sequence=ref("s"), index=Negate(argument=N)), "s[-i]"),
        (Count(sequence=Constant(value=(True, False))), "count((true, false))"),
        (Table(arguments=(P, N), shape=(2, 2), values=(0, 1, 2, 3)), "table(0, 1, 2, 3)[p, i]"),
        (Table(arguments=(N,), shape=(20,), values=tuple(range(20))), "i"),
        (Table(arguments=(N,), shape=(20,), values=tuple(reversed(range(20)))), "table(20 entries)[i]"),
        (Table(arguments=(N,), shape=(20,), values=(True, True, *[False] * 18)), "table(true at 2 of 20)[i]"),
        (Table(arguments=(P,), shape=(2,), values=(True, False)), "¬p"),
        (Table(arguments=(P, N), shape=(2, 3), values=(False,) * 4 + (True, False)), "p ∧ (i = 1)"),
        (Table(arguments=(P, ref("q")), shape=(2, 2), values=(True, False, True, True)), "p ∨ ¬q"),  # noqa: RUF001
        (Table(arguments=(P, N), shape=(2, 3), values=(True,) * 4 + (False, True)), "¬p ∨ (i ≠ 1)"),  # noqa: RUF001
        (
            Table(arguments=(P, N), shape=(2, 2), values=(True, False, False, True)),
            "¬(p ⊕ i)",
        ),
        (Table(arguments=(P, N, ref("q")), shape=(2, 3, 2), values=(*(False, True) * 3, *(True, False) * 3)), "p ⊕ q"),
        (Table(arguments=(P, N), shape=(2, 3), values=(2, 0, 1) * 2), "table(2, 0, 1)[i]"),
        (Table(arguments=(P, N), shape=(2, 3), values=(False,) * 6), "false"),
        (
            Table(arguments=(P, N), shape=(1, 2), dimension=2, values=(1.0, 0.0, 1.0, 0.0)),
            "table(1.0, 0.0, 1.0, 0.0)[p, i]",
        ),
    ],
)
def test_text_reads_like_a_formula(tree: Any, text: str) -> None:
    assert to_text(tree) == text
