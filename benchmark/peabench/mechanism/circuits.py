"""Circuits: which edges of the network the computation needs, and what each of them carries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from peabench.mechanism.addresses import Edge
from peabench.mechanism.causal_model import CausalEdge
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Record

Status = Literal["required", "optional", "absent"]


class CircuitEdge(Record):
    """An edge of the network that has a part in the computation."""

    edge: Edge
    status: Literal["required", "optional"]
    """Required: in every minimal sufficient circuit. Optional: harmless or redundant, in some of them or in none."""
    carries: tuple[CausalEdge, ...] = ()
    """Edges (parent, child) of the causal model that run along it: the reader computes `child`, or a part of it,
    from the `parent` that the source wrote. A pair (v, v) says that the reader passes v on as it is."""

    @model_validator(mode="after")
    def _meaningful(self) -> Self:
        if self.status == "required" and not self.carries:
            raise MechanismError(
                "expected the causal-model edges that a required edge carries, got none; list them", "carries"
            )
        return self


class Circuit(Record):
    """The circuit of a network. Every edge of the network that is not listed in `edges` is absent from it."""

    edges: Annotated[tuple[CircuitEdge, ...], Field(min_length=1)]
    minimal_circuits: tuple[tuple[Edge, ...], ...] = ()
    """All minimal sufficient circuits that were found; empty where the required edges are the only one."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        listed: dict[str, str] = {}
        for i, item in enumerate(self.edges):
            if item.edge in listed:
                raise MechanismError(f"expected each edge once, got {item.edge!r} again; merge them", f"edges.{i}.edge")
            listed[item.edge] = item.status
        required = {edge for edge, status in listed.items() if status == "required"}
        circuits = [frozenset(edges) for edges in self.minimal_circuits]
        for i, circuit in enumerate(circuits):
            field = f"minimal_circuits.{i}"
            if unlisted := sorted(circuit - set(listed)):
                raise MechanismError(f"expected listed edges, got {unlisted[0]!r}; add it to the edges", field)
            if lacking := sorted(required - circuit):
                raise MechanismError(
                    f"expected every required edge, got a circuit without {lacking[0]!r}; call that edge optional",
                    field,
                )
            if len(circuit) != len(self.minimal_circuits[i]):
                raise MechanismError("expected each edge once, got one twice; list it once", field)
            for j, other in enumerate(circuits):
                if i != j and other <= circuit:
                    raise MechanismError(
                        f"expected a minimal circuit, got one that contains circuit {j}; remove the larger one", field
                    )
        return self

    @property
    def required(self) -> frozenset[str]:
        """Addresses of the required edges."""
        return frozenset(item.edge for item in self.edges if item.status == "required")

    @property
    def sufficient(self) -> tuple[frozenset[str], ...]:
        """All minimal sufficient circuits: `minimal_circuits`, or the required edges where it is empty."""
        return tuple(frozenset(edges) for edges in self.minimal_circuits) or (self.required,)

    def statuses(self, all_edges: Iterable[str]) -> dict[str, Status]:
        """Status of every edge of the network, in the order given.

        Raises:
            MechanismError: the circuit lists an edge that the network does not have.
        """
        result: dict[str, Status] = dict.fromkeys(all_edges, "absent")
        for item in self.edges:
            if item.edge not in result:
                raise MechanismError(f"expected edges of the network, got {item.edge!r}; it has no such edge")
            result[item.edge] = item.status
        return result
