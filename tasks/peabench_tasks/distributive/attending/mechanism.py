"""From a plan to the mechanism that is claimed of its transformer, in Peabench's schema."""

import torch

from peabench.mechanism import (
    AlgorithmClaim,
    Alignment,
    Circuit,
    CircuitEdge,
    Feature,
    Gauge,
    Location,
    Mechanism,
    TensorReference,
)
from peabench_tasks.boolean.mechanism import causal_model
from peabench_tasks.distributive.attending.assembly import TOKENS
from peabench_tasks.distributive.attending.plan import OUTPUT, Plan, bystander
from peabench_tasks.units.assembly import Stream
from peabench_tasks.ways.mechanism import written_out


def build_mechanism(plan: Plan, stream: Stream, algorithm: AlgorithmClaim) -> Mechanism:
    """The planted mechanism: every variable at its one position, letters as tokens; what nobody reads as decoys.

    Args:
        plan: the term in its network.
        stream: where what is written.
        algorithm: the rival hypotheses.
    """
    tensors = {TOKENS: stream.directions(TOKENS)}
    tensors |= {gate.name: stream.directions(gate.name) for gate in plan.core.gates}
    alignments, decoys = [], []
    for name in (*plan.formula.inputs, *(gate.name for gate in plan.core.gates)):
        key = name if name in plan.blocks else TOKENS
        reference = TensorReference(name=key, shape=tuple(tensors[key].shape))
        places = [Location(site=f"resid.{site}@{plan.homes[name]}", basis=reference) for site in plan.sites(name)]
        alignments.append(Alignment(variable=name, location=places[0], alternatives=tuple(places[1:])))
    for name in (gate.name for gate in plan.formula.gates if bystander(gate.name)):
        key = f"decoy.{name}"
        tensors[key] = stream.directions(name)[:, 0].contiguous()
        decoys.append(
            Feature(
                name=f"decoy-{name}",
                site=f"resid.{plan.blocks[name] + 1}@{plan.homes[name]}",
                direction=TensorReference(name=key, shape=tuple(tensors[key].shape)),
                activation=written_out(plan.formula, name),
                description="A variable of a rival, computed and not read.",
            )
        )
    mechanism = Mechanism(
        provenance="planted",
        causal_model=causal_model(plan.core),
        alignments=tuple(alignments),
        circuit=circuit(plan),
        features=tuple(decoys),
        algorithm=algorithm,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "head_basis", "residual_rotation")),
    )
    return mechanism.with_tensors({name: torch.clone(value) for name, value in tensors.items()})


def circuit(plan: Plan) -> Circuit:
    """The edges that carry the term: what a head fetches on the way to it, and on from it."""
    carried: dict[str, list[tuple[str, str]]] = {}
    for gate in plan.core.gates:
        block = plan.blocks[gate.name]
        reader = f"block{block}.mlp"
        for name in plan.formula.read[gate.name]:
            writer = f"block{plan.blocks[name]}.mlp" if name in plan.blocks else "embed"
            fetch = plan.fetched.get((block, name))
            way = [f"{reader} <- {writer}"]
            if fetch is not None:
                head = f"block{block}.head{fetch.head}"
                way = [f"{head}.v <- {writer}", f"{reader} <- {head}"]
            for edge in way:
                carried.setdefault(edge, []).append((name, gate.name))
    carried[f"output <- block{plan.blocks[OUTPUT]}.mlp"] = [(OUTPUT, OUTPUT)]
    edges = (CircuitEdge(edge=edge, status="required", carries=tuple(pairs)) for edge, pairs in carried.items())
    return Circuit(edges=tuple(edges))
