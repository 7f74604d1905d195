"""Certificates of networks with positions: runs agree with the engine, counterfactuals with the causal model."""

import pytest
import torch

from peabench.certification.runs import circuit_only, edge_patched
from peabench.certification.subject import EvaluatedCounterfactuals, Subject, examine
from peabench.interventions import EdgePatch, run_patched
from peabench.mechanism import Mechanism
from peabench.networks import build_network
from peabench.networks.config import TransformerConfig
from peabench_tasks.programs.library import duplicates

CONFIG = TransformerConfig(
    d_vocabulary=4, n_positions=6, d_model=16, n_blocks=2, n_heads=2, d_head=4, d_mlp=8, d_output=5
)
CIRCUIT = (
    "block0.head1.q <- embed",
    "block0.head1.k <- embed",
    "block1.head0.k <- block0.head1",
    "output <- block1.head0",
)


@pytest.fixture(scope="module")
def subject() -> Subject:
    program = duplicates(6, 4)
    network = build_network(CONFIG, torch.Generator().manual_seed(0)).requires_grad_(False)
    return examine(network, Mechanism(provenance="planted", causal_model=program.model), program.domain)


def patched_by_engine(
    subject: Subject, patches: list[tuple[torch.Tensor, torch.Tensor]], base: torch.Tensor
) -> torch.Tensor:
    edges = [EdgePatch(mask[None], subject.activations.select(rows).nodes[:, None]) for mask, rows in patches]
    return subject.classes(run_patched(subject.network, subject.activations.select(base), edges))[0]


def mask_of(subject: Subject, edges: tuple[str, ...]) -> torch.Tensor:
    graph = subject.network.graph
    mask = torch.zeros(graph.exists.shape)
    for edge in edges:
        mask[graph.edge_index(edge)] = 1
    return mask


def test_each_edge_patched_alone(subject: Subject) -> None:
    pair = subject.some_pairs(600)
    changed = 0
    for edge in subject.network.graph.edges:
        want = patched_by_engine(subject, [(mask_of(subject, (edge,)), pair[1])], pair[0])
        assert torch.equal(edge_patched(subject, edge, pair), want)
        changed += int((want != edge_patched(subject, edge, (pair[0], pair[0]))).sum())
    assert changed > 0


def test_one_circuit_edge_from_another_source_than_the_complement(subject: Subject) -> None:
    base, third, source = torch.randint(0, len(subject.rows), (3, 600), generator=torch.Generator().manual_seed(1))
    off = subject.network.graph.exists.float() - mask_of(subject, CIRCUIT)
    want = patched_by_engine(subject, [(off, third)], base)
    assert torch.equal(circuit_only(subject, CIRCUIT, (base, third)), want)
    for edge in CIRCUIT:
        both = patched_by_engine(subject, [(off, third), (mask_of(subject, (edge,)), source)], base)
        assert torch.equal(circuit_only(subject, CIRCUIT, (base, third), (edge, source)), both)


def test_counterfactuals_of_a_sequence_are_those_of_each_pair(subject: Subject) -> None:
    pair = subject.some_pairs(40)
    model = subject.model
    edge = ("tokens", "repeated_k_tokens")
    found = subject.outputs_when_set(["tokens"], [edge])
    assert isinstance(found, EvaluatedCounterfactuals)
    assert not found.never_matter()
    outputs = found.of(pair)
    for i, (base, source) in enumerate(zip(pair[0].tolist(), pair[1].tolist(), strict=True)):
        run = model.counterfactual(subject.rows[base], edge_sources={edge: subject.rows[source]})
        assert int(outputs[i]) == int(run[model.output])


def test_a_large_domain_is_sampled_and_a_small_one_is_not(subject: Subject) -> None:
    assert not subject.exhaustive
    assert len(subject.rows) == 32_768
    small = duplicates(5, 3)
    network = build_network(CONFIG.model_copy(update={"n_positions": 5, "d_vocabulary": 3}))
    few = examine(network, Mechanism(provenance="planted", causal_model=small.model), small.domain)
    assert few.exhaustive
    assert len(few.rows) == small.domain.size
