"""Random well-typed expressions, and a reference for them: one example at a time, Python numbers and lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from hypothesis import strategies as st

from peabench.mechanism import (
    Add,
    And,
    Boolean,
    Compare,
    Constant,
    Count,
    Gather,
    Implies,
    Integer,
    Kind,
    Majority,
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
)

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


P, N, J, X, PS = ref("p"), ref("i"), ref("j"), ref("x"), ref("ps")


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
