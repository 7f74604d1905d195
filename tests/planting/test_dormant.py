"""Dormant nodes have the weights of a step in its place in the stream, and write a constant that is made up for."""

import pytest
import torch
from tests.planting.test_assembly import placed

from peabench.interventions import run_with_cache
from peabench.networks import Transformer
from peabench_tasks.planting import assembly, dormant
from peabench_tasks.planting.assembly import assemble, cut, draw_shadows, room_for_shadows
from peabench_tasks.planting.dormant import Place, draw_dormant, idle_places
from peabench_tasks.planting.lessons import Lesson, code_of, parents_of, ports_of
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.subspaces import subspaces


@pytest.fixture(autouse=True)
def half_of_the_idle_nodes_lie_dormant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "SHADOWS", 0.5)


def untaught(placement: Placement, generator: torch.Generator) -> dict[str, Lesson]:
    """Lessons of random weights, small enough that no head attends elsewhere than to its sink."""
    program, config = placement.program, placement.config
    found = {}
    for step in program.steps:
        width = config.d_head if step.part == "head" else config.d_mlp
        sizes = {
            port: sum(code_of(program, parent).shape[-1] for parent in parents_of(step, port)) + program.n_positions - 1
            for port in ports_of(step)
        }
        weights = {port: 0.7 * torch.randn(1, size, width, generator=generator) for port, size in sizes.items()}
        biases = {port: torch.randn(1, width, generator=generator) for port in sizes}
        out = torch.randn(1, width, step.code.shape[-1], generator=generator)
        found[step.variable] = Lesson(step, weights, biases, out, torch.zeros(1, step.code.shape[-1]), torch.zeros(1))
    return found


def made(seed: int) -> tuple[Placement, Transformer, list[tuple[str, Place]], torch.Tensor]:
    placement = placed(seed)
    shadows = draw_shadows(placement, seed, room_for_shadows(placement.program, placement.config))
    stream = cut(placement, shadows, seed)
    lessons = untaught(placement, torch.Generator().manual_seed(seed))
    network = assemble(placement, lessons, stream, shadows, dict.fromkeys(lessons, 0), seed).requires_grad_(False)
    asleep = draw_dormant(placement, [shadow.place for shadow in shadows], seed)
    return placement, network, asleep, stream.basis


def spread(placement: Placement, network: Transformer, asleep: list[tuple[str, Place]]) -> float:
    """The greatest change over all inputs of what a dormant node writes."""
    nodes = run_with_cache(network, placement.program.domain.all()).nodes
    at = [network.graph.nodes.index(f"block{b}." + ("mlp" if h is None else f"head{h}")) for _, (b, h) in asleep]
    return float((nodes[at] - nodes[at, :1]).abs().max())


@pytest.mark.parametrize("seed", range(6))
def test_they_write_the_same_for_all_inputs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    placement, network, asleep, _ = made(seed)
    assert asleep
    assert spread(placement, network, asleep) < 1e-4
    monkeypatch.setattr(dormant, "SINK", 0.0)
    monkeypatch.setattr(dormant, "DEAD", 0.0)
    placement, awake, asleep, _ = made(seed)
    assert spread(placement, awake, asleep) > 0.1


def test_what_they_write_is_taken_from_the_biases() -> None:
    placement, network, asleep, _ = made(0)
    nodes = run_with_cache(network, placement.program.domain.all()[:2]).nodes
    for block in range(placement.config.n_blocks):
        heads = [h for _, (b, h) in asleep if b == block and h is not None]
        at = [network.graph.nodes.index(f"block{block}.head{h}") for h in heads]
        torch.testing.assert_close(network.block(block).attention.b_o, -nodes[at, 0, -1].sum(0), atol=1e-4, rtol=0)


def test_they_write_where_the_step_does() -> None:
    placement, network, asleep, basis = made(0)
    for variable, (block, head) in asleep:
        parts = network.block(block)
        out = parts.mlp.w_out if head is None else parts.attention.w_o[head]
        held = (out @ basis[:, subspaces(placement.program)[variable]]).norm() / out.norm()
        assert float(held) > 0.7  # what is not held belongs to empty channels


@pytest.mark.parametrize("seed", range(3))
def test_empty_channels_carry_nothing_to_where_others_write(seed: int) -> None:
    placement, network, _, basis = made(seed)
    shadows = draw_shadows(placement, seed, room_for_shadows(placement.program, placement.config))
    silent = basis[:, cut(placement, shadows, seed).rest.start]
    rows = placement.program.domain.all()
    before = network(rows)
    nodes = run_with_cache(network, rows).nodes
    assert float((nodes @ silent).abs().max()) < 1e-4
    reached = 0
    for block in range(placement.config.n_blocks):
        attention = network.block(block).attention
        for head in range(placement.config.n_heads):
            value, out = attention.w_qkv[head, 2], attention.w_o[head]
            through = (silent @ value) @ out
            reached += float(through.norm()) > 0.5 * float((value @ out).norm())
            value -= silent[:, None] * (silent @ value)
    assert reached >= 8  # of 16 heads; the others have no dimension to spare, or nothing is left to be read
    torch.testing.assert_close(network(rows), before, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_their_step_is_still_to_be_read(seed: int) -> None:
    placement = placed(seed)
    for variable, (block, head) in draw_dormant(placement, [], seed):
        assert (placement.program.step(variable).part == "mlp") == (head is None)
        assert placement.readers_after(variable)[-1] > 2 * block + (head is None)
        assert (block, head) in idle_places(placement)
