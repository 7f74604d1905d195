"""Expressions: random well-typed trees against a plain-Python interpreter, JSON, kinds, limits and text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from peabench.mechanism import (
    Add,
    And,
    Boolean,
    Category,
    Compare,
    Constant,
    Count,
    Expression,
    Gather,
    Implies,
    Integer,
    Kind,
    Majority,
    MechanismError,
    Modulo,
    Multiply,
    Negate,
    Not,
    Or,
    Range,
    Real,
    Select,
    Subtract,
    Table,
    VariableReference,
    Xor,
    bounds,
    evaluate,
    infer,
    to_text,
    trailing_shape,
    variables,
)

torch.set_num_threads(1)
EXPRESSION: TypeAdapter[Any] = TypeAdapter(Expression)
LENGTH = 3
ENVIRONMENT: dict[str, Kind] = {
    "p": Boolean(),
    "q": Boolean(),
    "i": Integer(modulus=5),
    "j": Range(low=-4, high=3),
    "x": Real(),
    "y": Real(),
    "ps": Boolean(length=LENGTH),
    "ks": Integer(modulus=4, length=LENGTH),
    "xs": Real(length=LENGTH),
}


def ref(name: str) -> VariableReference:
    return VariableReference(name=name)


# -- the reference: one example at a time, Python numbers and lists -----------------------------------------------


class OutOfBounds(Exception):
    pass


def pointwise(function: Any, *arguments: Any) -> Any:
    """`function` at every position, where an argument is a list (a sequence)."""
    if not any(isinstance(argument, list) for argument in arguments):
        return function(*arguments)
    return [
        function(*(argument[n] if isinstance(argument, list) else argument for argument in arguments))
        for n in range(LENGTH)
    ]


def left_to_right(function: Any, *arguments: Any) -> Any:
    total = arguments[0]
    for argument in arguments[1:]:
        total = function(total, argument)
    return total


def interpret(tree: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Value of an expression, given as its JSON, for a single example."""

    def inner(name: str) -> Any:
        return interpret(tree[name], values)

    op = tree["op"]
    if op == "variable":
        return values[tree["name"]]
    if op == "constant":
        return tree["value"]
    if op == "not":
        return pointwise(lambda a: not a, inner("argument"))
    if op == "negate":
        return pointwise(lambda a: -a, inner("argument"))
    if op == "modulo":
        return pointwise(lambda a: a % tree["modulus"], inner("argument"))
    if op == "implies":
        return pointwise(lambda a, b: b if a else True, inner("premise"), inner("conclusion"))
    if op == "subtract":
        return pointwise(lambda a, b: a - b, inner("left"), inner("right"))
    if op == "compare":
        relations = {
            "eq": lambda a, b: a == b,
            "ne": lambda a, b: a != b,
            "lt": lambda a, b: a < b,
            "le": lambda a, b: a <= b,
            "gt": lambda a, b: a > b,
            "ge": lambda a, b: a >= b,
        }
        return pointwise(relations[tree["relation"]], inner("left"), inner("right"))
    if op == "select":
        return pointwise(lambda c, a, b: a if c else b, inner("condition"), inner("then"), inner("otherwise"))
    if op == "count":
        return sum(1 for element in inner("sequence") if element)
    if op == "gather":
        sequence = inner("sequence")

        def element(index: int) -> Any:
            if not 0 <= index < LENGTH:
                raise OutOfBounds
            return sequence[index]

        return pointwise(element, inner("index"))
    arguments = [interpret(argument, values) for argument in tree["arguments"]]
    if op == "table":

        def entry(*indices: int) -> Any:
            nested = 0
            for index, size in zip(indices, tree["shape"], strict=True):
                assert 0 <= index < size
                nested = nested * size + int(index)
            return tree["values"][nested]

        return pointwise(entry, *arguments)
    folds = {
        "and": lambda *a: all(a),
        "or": lambda *a: any(a),
        "xor": lambda *a: sum(a) % 2 == 1,
        "majority": lambda *a: sorted(a)[len(a) // 2],
        "add": lambda *a: left_to_right(lambda x, y: x + y, *a),
        "multiply": lambda *a: left_to_right(lambda x, y: x * y, *a),
    }
    return pointwise(folds[op], *arguments)


# -- random well-typed trees --------------------------------------------------------------------------------------

FINITE = st.floats(-100, 100, allow_nan=False)


@st.composite
def trees(draw: Any, sort: str, depth: int, sequence: bool) -> Any:
    """A tree of sort boolean, integer or real; of a sequence where asked for (or, now and then, a scalar)."""
    if sequence and draw(st.integers(0, 5)) == 0 and depth > 1:
        # A sequence next to a scalar: the operation is applied at every position.
        wide = draw(trees(sort, depth - 1, True))
        narrow = draw(trees(sort, depth - 1, False))
        if sort == "boolean":
            return Xor(arguments=(narrow, wide))
        return Subtract(left=narrow, right=wide)

    def below(of: str, wide: bool | None = None) -> Any:
        return draw(trees(of, depth - 1, sequence if wide is None else wide))

    def several(of: str, low: int) -> tuple[Any, ...]:
        return tuple(below(of) for _ in range(draw(st.integers(low, 3))))

    if depth <= 1 or draw(st.integers(0, 6)) == 0:
        names = {"boolean": ["p", "q"], "integer": ["i", "j"], "real": ["x", "y"]}[sort]
        wide_name = {"boolean": "ps", "integer": "ks", "real": "xs"}[sort]
        if draw(st.booleans()):
            return ref(wide_name if sequence else draw(st.sampled_from(names)))
        value = {"boolean": st.booleans(), "integer": st.integers(-6, 6), "real": FINITE}[sort]
        constant = st.tuples(*[value] * LENGTH) if sequence else value
        return Constant(value=draw(constant))

    choices = {
        "boolean": ["not", "and", "or", "xor", "implies", "majority", "compare", "select", "gather", "table"],
        "integer": ["add", "subtract", "multiply", "negate", "modulo", "select", "gather", "count", "table"],
        "real": ["add", "subtract", "multiply", "negate", "select", "gather", "table"],
    }[sort]
    op = draw(st.sampled_from(choices))
    if op == "count":
        return Count(sequence=below("boolean", True)) if not sequence else ref("ks")
    if op == "not":
        return Not(argument=below(sort))
    if op == "negate":
        return Negate(argument=below(sort))
    if op == "modulo":
        return Modulo(argument=below(sort), modulus=draw(st.integers(1, 7)))
    if op == "implies":
        return Implies(premise=below(sort), conclusion=below(sort))
    if op == "subtract":
        return Subtract(left=below(sort), right=below(sort))
    if op == "majority":
        return Majority(arguments=(below(sort), below(sort), below(sort)))
    if op == "compare":
        of = draw(st.sampled_from(["integer", "real"]))
        relation = draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
        return Compare(relation=relation, left=below(of), right=below(of))
    if op == "select":
        return Select(condition=below("boolean"), then=below(sort), otherwise=below(sort))
    if op == "gather":
        # Mostly in bounds; a raw index may leave them, which both interpreters must notice.
        index = below("integer")
        if draw(st.integers(0, 3)):
            index = Modulo(argument=index, modulus=LENGTH)
        return Gather(sequence=below(sort, True), index=index)
    if op == "table":
        size = draw(st.integers(1, 3))
        arguments = (below("boolean"), Modulo(argument=below("integer"), modulus=size))
        value = {"boolean": st.booleans(), "integer": st.integers(-6, 6), "real": FINITE}[sort]
        return Table(arguments=arguments, shape=(2, size), values=draw(st.tuples(*[value] * (2 * size))))
    node = {"and": And, "or": Or, "xor": Xor, "add": Add, "multiply": Multiply}[op]
    return node(arguments=several(sort, 2))


def any_tree(depth: int = 4) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(["boolean", "integer", "real"]), st.booleans()).flatmap(
        lambda choice: trees(choice[0], depth, choice[1])
    )


@st.composite
def examples(draw: Any) -> dict[str, Any]:
    def value(kind: Kind) -> Any:
        low_high = bounds(kind)
        if isinstance(kind, Boolean):
            single: st.SearchStrategy[Any] = st.booleans()
        else:
            single = FINITE if low_high is None else st.integers(*low_high)
        return draw(single if kind.length is None else st.lists(single, min_size=LENGTH, max_size=LENGTH))

    return {name: value(kind) for name, kind in ENVIRONMENT.items()}


def batched(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    types = {Boolean: torch.bool, Real: torch.float64}
    return {
        name: torch.tensor([example[name] for example in batch], dtype=types.get(type(kind), torch.int64))
        for name, kind in ENVIRONMENT.items()
    }


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


@settings(max_examples=60, deadline=None)
@given(any_tree())
def test_text_and_variables_mention_the_same_names(tree: Any) -> None:
    text = to_text(tree)
    assert text.splitlines() == [text]
    assert all(name in text for name in variables(tree))


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


P, N, J, X, PS = ref("p"), ref("i"), ref("j"), ref("x"), ref("ps")


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
    ],
)
def test_text_reads_like_a_formula(tree: Any, text: str) -> None:
    assert to_text(tree) == text
