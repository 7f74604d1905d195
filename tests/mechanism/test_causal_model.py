"""Causal models: interventions against brute force in plain Python, and the errors of malformed models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from peabench.mechanism import (
    Add,
    And,
    Boolean,
    Category,
    CausalModel,
    Compare,
    Constant,
    Count,
    Integer,
    Kind,
    Majority,
    MechanismError,
    Modulo,
    Not,
    Or,
    Range,
    Real,
    Select,
    Variable,
    VariableReference,
    Xor,
    to_text,
)

torch.set_num_threads(1)


def ref(name: str) -> VariableReference:
    return VariableReference(name=name)


def boolean(name: str, column: int) -> Variable:
    return Variable(name=name, kind=Boolean(), columns=(column,))


MODEL = CausalModel(
    variables=(
        boolean("a", 0),
        boolean("b", 1),
        boolean("c", 3),
        Variable(name="n", kind=Integer(modulus=3), columns=(2,)),
        Variable(name="g", kind=Boolean(), parents=("a", "b"), function=And(arguments=(ref("a"), ref("b")))),
        Variable(
            name="h", kind=Boolean(), parents=("b", "c"), function=Xor(arguments=(ref("b"), Not(argument=ref("c"))))
        ),
        Variable(
            name="m",
            kind=Integer(modulus=3),
            parents=("n", "g"),
            function=Select(
                condition=ref("g"),
                then=Modulo(argument=Add(arguments=(ref("n"), Constant(value=1))), modulus=3),
                otherwise=ref("n"),
            ),
        ),
        Variable(
            name="y",
            kind=Boolean(),
            parents=("g", "h", "m"),
            function=Majority(
                arguments=(ref("g"), ref("h"), Compare(relation="gt", left=ref("m"), right=Constant(value=0)))
            ),
        ),
    ),
    output="y",
)
ROWS = [list(row) for row in product([0, 1], [0, 1], [0, 1, 2], [0, 1])]
DOMAIN = torch.tensor(ROWS)
RANGES: dict[str, list[Any]] = {name: [False, True] for name in "abcghy"} | {name: [0, 1, 2] for name in "nm"}
EDGES = [("a", "g"), ("b", "g"), ("b", "h"), ("c", "h"), ("n", "m"), ("g", "m"), ("g", "y"), ("h", "y"), ("m", "y")]
ORDER = ["a", "b", "c", "n", "g", "h", "m", "y"]
RULES: dict[str, Callable[..., Any]] = {
    "g": lambda see: see("a") and see("b"),
    "h": lambda see: see("b") == see("c"),
    "m": lambda see: (see("n") + 1) % 3 if see("g") else see("n"),
    "y": lambda see: see("g") + see("h") + (see("m") > 0) >= 2,
}


def brute_force(row: list[int], do: dict[str, Any], do_edges: dict[tuple[str, str], Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"a": bool(row[0]), "b": bool(row[1]), "n": row[2], "c": bool(row[3])}
    for name in ORDER:
        if name in do:
            values[name] = do[name]
        elif name in RULES:

            def see(parent: str, child: str = name) -> Any:
                return do_edges.get((parent, child), values[parent])

            values[name] = RULES[name](see)
    return values


def assert_same(result: dict[str, torch.Tensor], expected: list[dict[str, Any]]) -> None:
    for name in ORDER:
        assert result[name].tolist() == [values[name] for values in expected], name


def test_the_plain_run_is_right_on_the_whole_domain() -> None:
    assert_same(MODEL.run(MODEL.read_inputs(DOMAIN)), [brute_force(row, {}, {}) for row in ROWS])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_single_joint_and_edge_interventions_agree_with_brute_force(data: Any) -> None:
    do_names = data.draw(st.lists(st.sampled_from(ORDER), unique=True, max_size=3))
    edge_names = data.draw(st.lists(st.sampled_from(EDGES), unique=True, max_size=3))

    def column(name: str) -> list[Any]:
        size = len(ROWS)
        values: list[Any] = data.draw(st.lists(st.sampled_from(RANGES[name]), min_size=size, max_size=size))
        return values

    do = {name: column(name) for name in do_names}
    do_edges = {edge: column(edge[0]) for edge in edge_names}
    result = MODEL.run(
        MODEL.read_inputs(DOMAIN),
        {name: torch.tensor(values) for name, values in do.items()},
        {edge: torch.tensor(values) for edge, values in do_edges.items()},
    )
    expected = [
        brute_force(row, {k: v[i] for k, v in do.items()}, {k: v[i] for k, v in do_edges.items()})
        for i, row in enumerate(ROWS)
    ]
    assert_same(result, expected)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_counterfactuals_take_each_value_from_its_own_source(data: Any) -> None:
    def rows() -> list[list[int]]:
        drawn: list[list[int]] = data.draw(st.lists(st.sampled_from(ROWS), min_size=4, max_size=4))
        return drawn

    base = rows()
    sources = {name: rows() for name in data.draw(st.lists(st.sampled_from(ORDER), unique=True, max_size=2))}
    edges = {edge: rows() for edge in data.draw(st.lists(st.sampled_from(EDGES), unique=True, max_size=2))}
    result = MODEL.counterfactual(
        torch.tensor(base),
        {name: torch.tensor(source) for name, source in sources.items()},
        {edge: torch.tensor(source) for edge, source in edges.items()},
    )
    expected = [
        brute_force(
            row,
            {name: brute_force(source[i], {}, {})[name] for name, source in sources.items()},
            {edge: brute_force(source[i], {}, {})[edge[0]] for edge, source in edges.items()},
        )
        for i, row in enumerate(base)
    ]
    assert_same(result, expected)


def test_an_edge_intervention_is_seen_by_one_child_only() -> None:
    base = torch.tensor([[1, 1, 0, 1]])
    plain, patched = (
        MODEL.counterfactual(base),
        MODEL.counterfactual(base, edge_sources={("b", "g"): torch.tensor([[1, 0, 0, 1]])}),
    )
    assert bool(plain["g"]) != bool(patched["g"])
    assert bool(patched["b"])
    assert bool(patched["h"]) == bool(plain["h"])


def test_a_hypothesis_axis_may_come_in_with_an_intervention() -> None:
    forced = torch.tensor([[False], [True]])
    result = MODEL.run(MODEL.read_inputs(DOMAIN), {"g": forced})
    assert all(value.shape == (2, len(ROWS)) for value in result.values())
    for k, value in enumerate((False, True)):
        expected = [brute_force(row, {"g": value}, {}) for row in ROWS]
        assert result["y"][k].tolist() == [values["y"] for values in expected]


def test_sequences_vectors_and_constants_are_read_and_run() -> None:
    model = CausalModel(
        variables=(
            Variable(name="tokens", kind=Category(values=5, length=3), columns=(2, 0, 1)),
            Variable(name="vector", kind=Real(dimension=2), columns=(0, 1)),
            Variable(name="three", kind=Category(values=5), function=Constant(value=3)),
            Variable(
                name="threes",
                kind=Range(low=0, high=3),
                parents=("tokens", "three"),
                function=Count(sequence=Compare(relation="eq", left=ref("tokens"), right=ref("three"))),
            ),
        ),
        output="threes",
    )
    result = model.run(model.read_inputs(torch.tensor([[3, 1, 3], [0, 2, 4]])))
    assert result["tokens"].tolist() == [[3, 3, 1], [4, 0, 2]]
    assert result["vector"].tolist() == [[3.0, 1.0], [0.0, 2.0]]
    assert result["threes"].tolist() == [2, 0]
    assert result["three"].tolist() == [3, 3]


def test_text_formulas_edges_and_inputs() -> None:
    assert MODEL.to_text().splitlines() == [
        "a = column 0 (boolean)",
        "b = column 1 (boolean)",
        "c = column 3 (boolean)",
        "n = column 2 (integer modulo 3)",
        "g = a ∧ b",
        "h = b ⊕ ¬c",
        "m = if g then ((n + 1) mod 3) else n",
        "y = maj(g, h, m > 0)",
    ]
    assert MODEL.expanded_text("y") == ("maj(a ∧ b, b ⊕ ¬c, (if (a ∧ b) then ((n + 1) mod 3) else n) > 0)")
    assert MODEL.expanded_text("a") == "a"
    assert list(MODEL.edges) == [(p, c) for c in ORDER for p, other in EDGES if other == c]
    assert MODEL.inputs == ("a", "b", "c", "n")
    assert CausalModel.model_validate_json(MODEL.model_dump_json(), strict=True) == MODEL


def test_a_long_formula_is_one_line_for_each_variable() -> None:
    whole = "y = maj(a ∧ b, b ⊕ ¬c, (if (a ∧ b) then ((n + 1) mod 3) else n) > 0)"
    assert MODEL.formula_lines() == MODEL.formula_lines(len(whole)) == [whole]
    assert MODEL.formula_lines(len(whole) - 1) == MODEL.to_text().splitlines()[4:]
    assert MODEL.formula() == MODEL.formula(len(whole)) == MODEL.expanded_text("y")
    assert MODEL.formula(len(whole) - 1) == "maj(g, h, m > 0)"


def test_a_formula_that_explodes_when_expanded_is_refused() -> None:
    chain = [boolean("v0", 0)]
    for i in range(1, 40):
        last = ref(f"v{i - 1}")
        chain.append(
            Variable(
                name=f"v{i}", kind=Boolean(), parents=(last.name,), function=Or(arguments=(last, Not(argument=last)))
            )
        )
    model = CausalModel(variables=tuple(chain), output="v39")
    with pytest.raises(MechanismError, match="at most 100000 characters"):
        model.expanded_text("v39")
    assert len(model.formula_lines()) == 39
    last_step = model.variable("v39").function
    assert last_step is not None
    assert model.formula() == to_text(last_step)
    assert bool(model.run(model.read_inputs(torch.tensor([[1]])))["v39"])


BIT: Kind = Boolean()


def gate(name: str, *parents: str) -> Variable:
    tree = ref(parents[0]) if len(parents) == 1 else Or(arguments=tuple(ref(parent) for parent in parents))
    return Variable(name=name, kind=BIT, parents=parents, function=tree)


@pytest.mark.parametrize(
    ("variables", "output", "message"),
    [
        ((boolean("a", 0), boolean("a", 1)), "a", "variables.1.name: expected a name of its own, got 'a'"),
        ((boolean("a", 0),), "b", "field output: expected one of the variables, got 'b'"),
        ((gate("g", "a"), boolean("a", 0)), "g", "got 'a', which stands after 'g'; sort the variables"),
        ((gate("g", "a"),), "g", "got the unknown 'a'; define it before 'g'"),
        ((gate("g", "g"),), "g", "expected no cycle among parents, got g -> g"),
        (
            (boolean("a", 0), gate("g", "a", "h"), gate("h", "g")),
            "h",
            "no cycle among parents, got (g -> h -> g|h -> g -> h)",
        ),
        (
            (boolean("a", 0), Variable(name="n", kind=Integer(modulus=2), parents=("a",), function=ref("a"))),
            "n",
            r"variables.1.function: expected integer modulo 2 \(the kind of n\), got boolean",
        ),
        (
            (
                Variable(name="n", kind=Integer(modulus=3), columns=(0,)),
                Variable(name="g", kind=BIT, parents=("n",), function=Not(argument=ref("n"))),
            ),
            "g",
            "variables.1.function: expected booleans in 'not', got integer modulo 3",
        ),
    ],
)
def test_malformed_models_are_refused(variables: tuple[Variable, ...], output: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CausalModel(variables=variables, output=output)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": ()}, "columns: expected 1 different columns"),
        ({"columns": (0, 1)}, "columns: expected 1 different columns"),
        ({"columns": (0,), "parents": ("b",)}, "function: expected a function, got parents without one"),
        ({"columns": (0,), "function": Constant(value=True)}, "columns: expected no columns beside a function"),
        (
            {"parents": ("b", "c"), "function": ref("b")},
            r"parents: expected exactly the variables .* \(b\)",
        ),
        ({"parents": (), "function": ref("b")}, "parents: expected exactly"),
        ({"parents": ("b", "b"), "function": ref("b")}, "parents: expected exactly"),
    ],
)
def test_malformed_variables_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Variable(name="v", kind=BIT, **fields)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MODEL.read_inputs(torch.zeros(2, 3, dtype=torch.long)), "at least 4 columns"),
        (lambda: MODEL.read_inputs(torch.zeros(2, 4)), "expected integer columns"),
        (lambda: MODEL.read_inputs(torch.tensor([[2, 0, 0, 0]])), "expected 0 or 1 in the columns of a"),
        (lambda: MODEL.read_inputs(torch.tensor([[0, 0, 3, 0]])), "values of n from 0 to 2, got 3 to 3"),
        (lambda: MODEL.run({}), "expected a value of input 'a', got none"),
        (lambda: run(interventions={"z": torch.tensor([True])}), "expected a variable of the causal model, got 'z'"),
        (lambda: run(interventions={"g": torch.tensor([1])}), "expected values of g as torch.bool"),
        (lambda: run(interventions={"m": torch.tensor([3])}), "values of m from 0 to 2"),
        (lambda: run(interventions={"g": torch.ones(7, dtype=torch.bool)}), "batch shapes that broadcast"),
        (lambda: run(edges={("a", "h"): torch.tensor([True])}), "expected an edge"),
        (lambda: run(edges={("a", "g"): torch.tensor([1])}), "expected values of a as torch.bool"),
        (lambda: MODEL.run({"g": torch.tensor([True])}), "expected a value of input 'a'"),
        (lambda: MODEL.counterfactual(DOMAIN, {"z": DOMAIN}), "got 'z'"),
        (lambda: MODEL.expanded_text("z"), "got 'z'"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(MechanismError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def run(interventions: dict[str, Any] | None = None, edges: dict[tuple[str, str], Any] | None = None) -> Any:
    return MODEL.run(MODEL.read_inputs(DOMAIN), interventions, edges)
