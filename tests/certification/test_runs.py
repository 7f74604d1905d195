"""The patched runs behind certificates agree with ordinary forward hooks, one pair at a time."""

import pytest
import torch
from torch import Tensor

from peabench.certification.runs import circuit_only, edge_patched, interchanged
from peabench.certification.subject import Subject, examine
from peabench.domain import ProductDomain
from peabench.mechanism import Boolean, CausalModel, Mechanism, Variable
from peabench.networks import ResidualMLP, ResidualMLPConfig

CONFIG = ResidualMLPConfig(n_inputs=3, d_model=6, n_blocks=2, n_units=2, d_hidden=4)


@pytest.fixture(scope="module")
def subject() -> Subject:
    inputs = tuple(Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(3))
    mechanism = Mechanism(provenance="constructed", causal_model=CausalModel(variables=inputs, output="x0"))
    network = ResidualMLP(CONFIG, torch.Generator().manual_seed(3)).requires_grad_(False)
    return examine(network, mechanism, ProductDomain(sizes=(2, 2, 2)))


def reading(subject: Subject, own: list[Tensor], source: list[Tensor], swapped: set[tuple[int, int]]) -> list[Tensor]:
    """A slow run: node by node, each reader summing what it sees; node outputs, then the logit."""
    network = subject.network
    assert isinstance(network, ResidualMLP)
    outputs = own[:3]
    for block in range(2):
        new = []
        for unit in range(2):
            reader = 2 * block + unit
            seen = [source[n] if (reader, n) in swapped else outputs[n] for n in range(len(outputs))]
            read = torch.stack(seen).sum(0) + network.b_embed
            weights = network.block(block)
            hidden = torch.relu(read @ weights.w_in[unit] + weights.b_in[unit])
            new.append(hidden @ weights.w_out[unit])
        outputs = outputs + new
    seen = [source[n] if (4, n) in swapped else outputs[n] for n in range(7)]
    return [*outputs, (torch.stack(seen).sum(0) + network.b_embed) @ network.w_output + network.b_output]


def nodes(subject: Subject, row: int) -> list[Tensor]:
    return [subject.activations.nodes[n, row, 0] for n in range(7)]


def test_each_edge_patched_alone(subject: Subject) -> None:
    graph = subject.network.graph
    for base, source in [(0, 7), (2, 5), (6, 1)]:
        pair = (torch.tensor([base]), torch.tensor([source]))
        for edge in graph.edges:
            slow = reading(subject, nodes(subject, base), nodes(subject, source), {graph.edge_index(edge)})[-1]
            assert int(edge_patched(subject, edge, pair)) == int(slow > 0)


def test_everything_off_a_circuit_resampled(subject: Subject) -> None:
    graph = subject.network.graph
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        base, source = torch.randint(0, 8, (2,), generator=generator).tolist()
        kept = [edge for edge in graph.edges if torch.rand((), generator=generator) < 0.4]
        off = {graph.edge_index(edge) for edge in graph.edges if edge not in kept}
        slow = reading(subject, nodes(subject, base), nodes(subject, source), off)[-1]
        pair = (torch.tensor([base]), torch.tensor([source]))
        assert int(circuit_only(subject, kept, pair)) == int(slow > 0)


def test_a_whole_site_swapped_is_the_source_run(subject: Subject) -> None:
    base, source = torch.arange(8).repeat(8), torch.arange(8).repeat_interleave(8)
    got = interchanged(subject, "resid.1@0", torch.eye(6), (base, source))
    assert torch.equal(got, subject.classes(subject.activations.logits)[source])
    nothing = interchanged(subject, "resid.1@0", torch.eye(6), (base, source), complement=True)
    assert torch.equal(nothing, subject.classes(subject.activations.logits)[base])
