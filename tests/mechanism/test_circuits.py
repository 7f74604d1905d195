"""Circuits: status of every edge of a network, and lists that contradict themselves."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.mechanism import laboratory

from peabench.mechanism import Circuit, CircuitEdge, MechanismError

A, B, C = "block0.unit0 <- input0", "block0.unit1 <- input0", "output <- block0.unit0"
CARRIES = (("a", "y"),)
REQUIRED = CircuitEdge(edge=A, status="required", carries=CARRIES)
OPTIONAL = CircuitEdge(edge=B, status="optional")


def test_edges_that_are_not_listed_are_absent() -> None:
    circuit = Circuit(edges=(REQUIRED, OPTIONAL))
    assert circuit.statuses([C, B, A]) == {C: "absent", B: "optional", A: "required"}
    assert list(circuit.statuses([C, B, A])) == [C, B, A]
    assert circuit.required == {A}
    assert circuit.sufficient == (frozenset({A}),)


def test_an_edge_that_the_network_lacks_is_an_error() -> None:
    with pytest.raises(MechanismError, match="expected edges of the network, got 'block0"):
        Circuit(edges=(REQUIRED, OPTIONAL)).statuses([A, C])


def test_all_minimal_circuits_are_sufficient() -> None:
    circuit = laboratory.mechanism().circuit
    assert circuit is not None
    assert len(circuit.sufficient) == 2
    assert all(circuit.required < edges for edges in circuit.sufficient)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"edges": ()}, "at least 1 item"),
        ({"edges": (REQUIRED, REQUIRED)}, "edges.1.edge: expected each edge once"),
        ({"edges": (REQUIRED,), "minimal_circuits": ((A, C),)}, "minimal_circuits.0: expected listed edges"),
        ({"edges": (REQUIRED, OPTIONAL), "minimal_circuits": ((B,),)}, "expected every required edge"),
        ({"edges": (REQUIRED, OPTIONAL), "minimal_circuits": ((A, A),)}, "expected each edge once"),
        (
            {"edges": (REQUIRED, OPTIONAL), "minimal_circuits": ((A,), (A, B))},
            r"circuits.1: .* contains circuit 0",
        ),
        ({"edges": (REQUIRED, OPTIONAL), "minimal_circuits": ((A, B), (B, A))}, "contains circuit"),
    ],
)
def test_contradictory_circuits_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Circuit(**fields)


def test_a_required_edge_must_say_what_it_carries() -> None:
    with pytest.raises(ValidationError, match="carries: expected the causal-model edges"):
        CircuitEdge(edge=A, status="required")
