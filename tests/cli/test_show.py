"""`peabench show`: formula, causal model, circuit and certificate of one task."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from peabench.certification.checks import Check, NullCheck
from peabench.mechanism import (
    And,
    Boolean,
    CausalModel,
    Circuit,
    CircuitEdge,
    Mechanism,
    Not,
    Variable,
    VariableReference,
    Xor,
)

Invoke = Callable[..., Any]


def edge(text: str, *carries: tuple[str, str], optional: bool = False) -> CircuitEdge:
    return CircuitEdge(edge=text, status="optional" if optional else "required", carries=carries)


@pytest.fixture
def carded(toy: ModuleType) -> None:
    """`toy/a-0` with a mechanism, (a ∧ b) ⊕ ¬(a ∧ b) ∧ a in spirit, and a certificate."""
    folder = toy.FAMILY.checkpoints / "a-0"
    a, b, g = (VariableReference(name=name) for name in "abg")
    model = CausalModel(
        variables=(
            Variable(name="a", kind=Boolean(), columns=(0,)),
            Variable(name="b", kind=Boolean(), columns=(1,)),
            Variable(name="g", kind=Boolean(), parents=("a", "b"), function=And(arguments=(a, b))),
            Variable(name="h", kind=Boolean(), parents=("g",), function=Not(argument=g)),
            Variable(
                name="y",
                kind=Boolean(),
                parents=("g", "h"),
                function=Xor(arguments=(g, VariableReference(name="h"))),
            ),
        ),
        output="y",
    )
    circuit = Circuit(
        edges=(
            edge("block0.unit0 <- input0", ("a", "g")),
            edge("block0.unit0 <- input1", ("b", "g")),
            edge("block1.unit0 <- block0.unit0", ("g", "h")),
            edge("output <- block0.unit0", ("g", "y")),
            edge("output <- block1.unit0", ("h", "y")),
            edge("output <- block1.unit1", optional=True),
        )
    )
    Mechanism(provenance="constructed", causal_model=model, circuit=circuit).with_tensors({}).save(folder)
    null = NullCheck(description="random weights", cases=200, errors=50)
    check = Check(
        name="behaviour", claim="is right", cases=1234, errors=0, exhaustive=True, upper_bound=0, null=null, passed=True
    )
    (folder / "certificate.json").write_text(json.dumps([check.model_dump(mode="json")]))


@pytest.mark.usefixtures("carded")
def test_the_card_draws_formula_tree_and_circuit(invoke: Invoke) -> None:
    result = invoke("show", "toy/a-0")
    assert result.exit_code == 0, result.stderr
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "y = (a ∧ b) ⊕ ¬(a ∧ b)" in lines
    start = lines.index("y = g ⊕ h")
    assert lines[start + 1 : start + 6] == [
        "├── g = a ∧ b",
        "│   ├── a",
        "│   └── b",
        "└── h = ¬g",
        "    └── g = a ∧ b  (opened above)",
    ]
    start = lines.index("output")
    assert lines[start + 1 : start + 7] == [
        "├── <- block0.unit0  g for y",
        "│   ├── <- input0  a for g",
        "│   └── <- input1  b for g",
        "├── <- block1.unit0  h for y",
        "│   └── <- block0.unit0  g for h  (opened above)",
        "└── <- block1.unit1  optional",
    ]
    assert any("behaviour" in line and "1,234" in line and "25.0%" in line for line in lines)
    assert result.stderr == ""


@pytest.mark.usefixtures("carded")
def test_the_card_as_data(invoke: Invoke) -> None:
    card = json.loads(invoke("show", "toy/a-0", "--json").stdout)
    assert card["id"] == "toy/a-0"
    assert card["formula"] == "(a ∧ b) ⊕ ¬(a ∧ b)"
    assert len(card["mechanism"]["circuit"]["edges"]) == 6
    assert card["certificate"][0]["null"]["errors"] == 50
