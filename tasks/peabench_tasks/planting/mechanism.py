"""From a placement to the mechanism that it plants, in Peabench's schema."""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import Alignment, Circuit, CircuitEdge, Gauge, Location, Mechanism, TensorReference
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.subspaces import subspaces


def build_mechanism(placement: Placement, basis: Float[Tensor, "d_model k"]) -> Mechanism:
    """The planted mechanism: causal model, circuit, and each step's variable at every site where it can be set.

    Args:
        placement: the program and where it was planted.
        basis: the planted directions, as in `Planter.bases`.
    """
    program = placement.program
    last = placement.config.n_positions - 1
    alignments, tensors = [], {}
    for step in program.steps:
        position = "*" if step.everywhere else str(last)
        key = f"subspace.{step.variable}"
        span = basis[:, subspaces(program)[step.variable]].contiguous()
        reference = TensorReference(name=key, shape=tuple(span.shape))
        places = [Location(site=f"resid.{r}@{position}", basis=reference) for r in placement.sites(step.variable)]
        if places:
            tensors[key] = span.clone()
            alignments.append(Alignment(variable=step.variable, location=places[0], alternatives=tuple(places[1:])))
    symmetries = ("neuron_permutation", "neuron_scaling", "head_basis", "residual_rotation")
    mechanism = Mechanism(
        provenance="planted",
        causal_model=program.model,
        alignments=tuple(alignments),
        circuit=circuit(placement),
        gauge=Gauge(symmetries=symmetries if placement.config.d_mlp else symmetries[2:]),
    )
    return mechanism.with_tensors({name: torch.clone(value) for name, value in tensors.items()})


def circuit(placement: Placement) -> Circuit:
    """The edges that carry the program; copies of which two of three suffice are optional, one circuit for each two."""
    copies = placement.program.copies
    owner = {placement.node(copy): copy for copy in copies}
    edges, of_copy = [], {copy: list[str]() for copy in copies}
    for address, carried in placement.edges():
        reader, _, node = address.partition(" <- ")
        copy = owner.get(node) or owner.get(reader.rpartition(".")[0])
        if copy is not None:
            of_copy[copy].append(address)
        edges.append(CircuitEdge(edge=address, status="required" if copy is None else "optional", carries=carried))
    required = [edge.edge for edge in edges if edge.status == "required"]
    minimal = tuple(tuple(required + of_copy[a] + of_copy[b]) for a, b in combinations(copies, 2))
    return Circuit(edges=tuple(edges), minimal_circuits=minimal)
