"""Checks of the circuit: what every edge means, sufficiency, necessity, alternatives."""

import torch
from jaxtyping import Bool
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.runs import circuit_only, edge_patched
from peabench.certification.subject import Counterfactuals, Subject
from peabench.mechanism import Circuit, CircuitEdge

COMPLEMENT_ROWS = 4096
COMPLEMENT_CHUNK = 1024
SPARE_EDGES = 8


def _circuit(subject: Subject) -> Circuit:
    circuit = subject.mechanism.circuit
    if circuit is None:
        raise ValueError("the mechanism claims no circuit")
    return circuit


def _meaningful(subject: Subject) -> list[CircuitEdge]:
    """Edges with a meaning that can be tested; an optional edge that is merely harmless has none."""
    return [edge for edge in _circuit(subject).edges if edge.carries]


def _absent(subject: Subject) -> list[str]:
    """A few edges that are not the circuit's, spread over the network: what nulls claim."""
    listed = {edge.edge for edge in _circuit(subject).edges}
    absent = [edge for edge in subject.network.graph.edges if edge not in listed]
    return absent[:: max(1, len(absent) // SPARE_EDGES)][:SPARE_EDGES]


def _expected(subject: Subject, edge: CircuitEdge) -> Counterfactuals:
    """Counterfactuals of an edge: each child it serves, and no other, sees the parent's other value."""
    parents = list(dict.fromkeys(parent for parent, _ in edge.carries))
    inner = [(parent, child) for parent, child in edge.carries if parent != child]
    return subject.outputs_when_set(parents, inner) if inner else subject.outputs_when_set(parents)


def edges_check(subject: Subject) -> Check:
    """Patching one circuit edge alone gives the counterfactual in which its reader, and only it, sees the other value.

    What an embedding node writes depends on its input column alone, so one source for each vector that a node ever
    writes stands for all sources: bases x distinct source values are then all pairs.
    """
    null_errors = null_cases = 0
    parts: dict[str, tuple[int, int]] = {}
    edges = _meaningful(subject)
    graph = subject.network.graph
    for i, edge in enumerate(edges):
        expected = _expected(subject, edge)
        written = subject.written(graph.edge_index(edge.edge)[1])
        errors = cases = 0
        for pair in subject.pairs(_representatives(written) if subject.exhaustive else None):
            errors += int((edge_patched(subject, edge.edge, pair) != expected.of(pair)).sum())
            cases += len(pair[0])
        parts[edge.edge] = errors, cases
        pair = subject.some_pairs()
        other = _expected(subject, edges[(i + 1) % len(edges)])
        null_errors += int((edge_patched(subject, edge.edge, pair) != other.of(pair)).sum())
        null_cases += len(pair[0])
    return judged(
        "edges alone",
        "patching one circuit edge alone gives the counterfactual in which only its reader sees the other value",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=NullCheck(description="the meaning of another edge of the circuit", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
        parts=parts,
    )


def _representatives(written: torch.Tensor) -> torch.Tensor:
    """One row for each distinct vector that a node writes."""
    _, inverse = written.flatten(1).unique(dim=0, return_inverse=True)
    first = torch.full((int(inverse.max()) + 1,), len(inverse), dtype=torch.long)
    return first.scatter_reduce(0, inverse, torch.arange(len(inverse)), "amin")


def edges_with_complement_check(subject: Subject) -> Check:
    """The same with the whole complement of the circuit resampled from a third input."""
    listed = [edge.edge for edge in _circuit(subject).edges]
    edges = _meaningful(subject)
    wrong = torch.zeros(len(edges), dtype=torch.long)
    cases = null_errors = 0
    for _ in range(COMPLEMENT_ROWS // COMPLEMENT_CHUNK):
        base, source, third = torch.randint(0, len(subject.rows), (3, COMPLEMENT_CHUNK), generator=subject.generator)
        got = torch.stack([circuit_only(subject, listed, (base, third), (edge.edge, source)) for edge in edges])
        expected = torch.stack([_expected(subject, edge).of((base, source)) for edge in edges])
        wrong += (got != expected).sum(1)
        null_errors += int((got != expected.roll(-1, 0)).sum())
        cases += got.numel()
    parts = {edge.edge: (errors, cases // len(edges)) for edge, errors in zip(edges, wrong.tolist(), strict=True)}
    return judged(
        "edges with complement",
        "patching one circuit edge, with all edges off the circuit resampled from a third input, has the same meaning",
        *totals(parts),
        exhaustive=False,
        null=NullCheck(description="the meaning of another edge of the circuit", cases=cases, errors=null_errors),
        bar=subject.tolerance,
        parts=parts,
    )


def sufficiency_check(subject: Subject) -> Check:
    """With all edges off a minimal circuit resampled jointly, the output stays right."""
    errors = cases = null_errors = null_cases = 0
    for edges in _circuit(subject).sufficient:
        ordered = sorted(edges)
        for pair in subject.pairs():
            errors += int((circuit_only(subject, ordered, pair) != subject.truth[pair[0]]).sum())
            cases += len(pair[0])
        pair = subject.some_pairs()
        random = _random_circuit(subject, ordered)
        null_errors += int((circuit_only(subject, random, pair) != subject.truth[pair[0]]).sum())
        null_cases += len(pair[0])
    return judged(
        "sufficiency",
        "with all edges off the circuit resampled jointly from another input, the output stays right",
        errors,
        cases,
        exhaustive=subject.exhaustive,
        null=NullCheck(description="random circuits of the same size", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
    )


def _random_circuit(subject: Subject, circuit: list[str]) -> list[str]:
    """Another circuit of the same size."""
    every = subject.network.graph.edges
    while True:
        drawn = torch.randperm(len(every), generator=subject.generator)[: len(circuit)]
        random = [every[i] for i in drawn.tolist()]
        if set(random) != set(circuit) or len(circuit) == len(every):
            return random


def necessity_check(subject: Subject) -> Check:
    """Each edge of each minimal circuit is needed: without it, and the complement resampled, the output breaks."""
    needless = cases = 0
    recorded: dict[str, float] = {}
    pair = subject.some_pairs(8192)
    truth = subject.truth[pair[0]]
    for edges in _circuit(subject).sufficient:
        for edge in sorted(edges):
            broken = float((circuit_only(subject, sorted(edges - {edge}), pair) != truth).float().mean())
            intact = float((edge_patched(subject, edge, pair) != truth).float().mean())
            recorded[f"{edge} with the complement resampled"] = round(broken, 5)
            recorded[f"{edge} in the intact network"] = round(intact, 5)
            needless += broken <= subject.tolerance
            cases += 1
    few = f"at most {subject.tolerance:.1%}" if subject.tolerance else "none"
    spare = _absent(subject)
    padded = _circuit(subject).sufficient[0].union(spare)
    without = (circuit_only(subject, sorted(padded - {edge}), pair) for edge in spare)
    null_needless = sum(_rate(got != truth) <= subject.tolerance for got in without)
    return judged(
        "necessity",
        "dropping an edge while the complement is resampled breaks the output (cases: edges; errors: those whose loss "
        f"breaks {few} of 8,192 pairs)",
        needless,
        cases,
        exhaustive=True,
        null=NullCheck(
            description="absent edges added to the circuit, each dropped", cases=len(spare), errors=null_needless
        ),
        recorded=recorded,
    )


def alternatives_check(subject: Subject) -> Check:
    """A listed edge that the intact network does not miss lies outside some listed minimal circuit."""
    circuit = _circuit(subject)
    unexplained = 0
    spared = 0
    for edge in circuit.edges:
        broken = _missed(subject, edge.edge)
        spared += not broken
        unexplained += not broken and all(edge.edge in edges for edges in circuit.sufficient)
    absent = _absent(subject)
    pair = subject.some_pairs()
    patched = (edge_patched(subject, edge, pair) for edge in absent)
    null = sum(_rate(got != subject.truth[pair[0]]) <= subject.tolerance for got in patched)
    return judged(
        "alternatives",
        "every circuit edge that the intact network does not miss is outside some listed minimal circuit",
        unexplained,
        len(circuit.edges),
        exhaustive=subject.exhaustive,
        null=NullCheck(description="absent edges claimed as required", cases=len(absent), errors=null),
        recorded={"edges not missed": float(spared), "minimal circuits": float(len(circuit.sufficient))},
    )


def _missed(subject: Subject, edge: str) -> bool:
    """Whether resampling an edge alone breaks more of the outputs than is tolerated."""
    if not subject.tolerance:
        return any(
            bool((edge_patched(subject, edge, pair) != subject.truth[pair[0]]).any()) for pair in subject.pairs()
        )
    broken = [edge_patched(subject, edge, pair) != subject.truth[pair[0]] for pair in subject.pairs()]
    return _rate(torch.cat(broken)) > subject.tolerance


def _rate(wrong: Bool[Tensor, " pair"]) -> float:
    return float(wrong.double().mean())
