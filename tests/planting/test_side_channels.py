"""Side channels carry what varies to where no circuit node reads, in heads of the circuit and in others alike."""

import pytest
import torch
from tests.planting.test_dormant import made

from peabench.catalogue import installed_tasks
from peabench.interventions import run_with_cache
from peabench.networks import Transformer
from peabench.tasks import load_task
from peabench_tasks.planting.mechanism import build_mechanism
from peabench_tasks.planting.side_channels import CHANNELS, add_side_channels
from peabench_tasks.planting.subspaces import planted_size
from peabench_tasks.planting.unread import circuit_nodes, unread_directions


def written_by_heads(network: Transformer) -> torch.Tensor:
    """What each head's weights write of each direction that its values read."""
    blocks = [network.block(b).attention for b in range(network.config.n_blocks)]
    return torch.stack([torch.einsum("hde,hef->hdf", block.w_qkv[:, 2], block.w_o) for block in blocks]).clone()


def test_what_heads_write_besides_stands_where_the_circuit_does_not_read() -> None:
    placement, network, _, basis = made(0)
    mechanism = build_mechanism(placement, basis[:, : planted_size(placement.program)])
    unread = unread_directions(network, mechanism, CHANNELS)
    before = written_by_heads(network)
    add_side_channels(network, mechanism, placement.program.domain, 0)
    added = written_by_heads(network) - before
    besides = added - added @ unread @ unread.T
    norms = before.norm(dim=(2, 3))
    assert bool((besides.norm(dim=(2, 3)) < 0.05 * norms).all())
    assert float((added.norm(dim=(2, 3)) > 0.5 * norms).float().mean()) > 0.5


@pytest.mark.parametrize("family", ["programs", "name_mover"])
def test_shipped_networks_answer_the_same_without_what_stands_there(family: str) -> None:
    task = load_task(next(task.folder for task in installed_tasks() if task.family == family))
    network = task.network()
    assert isinstance(network, Transformer)
    rows = task.record.domain.sample(512, torch.Generator().manual_seed(0))
    unread = unread_directions(network, task.mechanism, CHANNELS)
    ran = run_with_cache(network, rows)
    inside = circuit_nodes(network, task.mechanism)
    heads = [n for n, name in enumerate(network.graph.nodes) if "head" in name and n in inside]
    there, all_of_it = ((ran.nodes[heads] @ basis).var(1).sum((1, 2)) for basis in (unread, torch.eye(len(unread))))
    assert float((there > 0.1 * all_of_it).float().mean()) > 0.5
    for block in range(network.config.n_blocks):
        out = network.block(block).attention.w_o
        out.data -= out.data @ unread @ unread.T
    assert torch.equal(network(rows)[:, -1].argmax(-1), ran.logits[:, -1].argmax(-1))


def test_heads_inside_and_outside_the_circuit_have_them() -> None:
    placement, network, _, basis = made(0)
    mechanism = build_mechanism(placement, basis[:, : planted_size(placement.program)])
    ranks = _ranks(network)
    add_side_channels(network, mechanism, placement.program.domain, 0)
    grown = (_ranks(network) > ranks).flatten().tolist()
    inside = circuit_nodes(network, mechanism)
    heads = [
        network.graph.nodes.index(f"block{b}.head{h}")
        for b in range(placement.config.n_blocks)
        for h in range(placement.config.n_heads)
    ]
    assert {node in inside for node, more in zip(heads, grown, strict=True) if more} == {True, False}


def test_the_seed_draws_what_is_read() -> None:
    values = []
    for seed in (0, 0, 1):
        placement, network, _, basis = made(0)
        mechanism = build_mechanism(placement, basis[:, : planted_size(placement.program)])
        add_side_channels(network, mechanism, placement.program.domain, seed)
        values.append(network.block(0).attention.w_qkv[:, 2].clone())
    assert torch.equal(values[0], values[1])
    assert not torch.allclose(values[0], values[2])


def _ranks(network: Transformer) -> torch.Tensor:
    blocks = [network.block(b).attention for b in range(network.config.n_blocks)]
    return torch.stack([torch.linalg.matrix_rank(block.w_o, rtol=0.02) for block in blocks])
