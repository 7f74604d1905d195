"""Placements are drawn at random, and what is written is written before it is read."""

import pytest

from peabench.networks import build_network
from peabench.networks.config import TransformerConfig
from peabench_tasks.planting.mechanism import circuit
from peabench_tasks.planting.placement import Placement, draw_placement
from peabench_tasks.programs.library import dyck, redundant, sort


def config(blocks: int, heads: int = 4) -> TransformerConfig:
    return TransformerConfig(
        d_vocabulary=4, n_positions=6, d_model=24, n_blocks=blocks, n_heads=heads, d_head=6, d_mlp=8, d_output=6
    )


def drawn(seeds: int = 20) -> list[Placement]:
    return [draw_placement(dyck(6, 3), config(4), seed) for seed in range(seeds)]


def test_every_edge_exists_in_the_network() -> None:
    graph = build_network(config(4)).graph
    for placement in drawn():
        for edge, _ in placement.edges():
            graph.edge_index(edge)


def test_depth_and_head_vary_with_the_seed() -> None:
    placements = drawn()
    assert len({placement.heads["depth"] for placement in placements}) > 3
    assert len({placement.mlps["early"] for placement in placements}) > 1
    assert placements[3] == drawn()[3]


def test_no_node_computes_two_steps() -> None:
    for seed in range(20):
        placement = draw_placement(redundant(6, 3), config(3), seed)
        assert len(set(placement.heads.values())) == len(placement.heads)
        assert len(set(placement.mlps.values())) == len(placement.mlps)


def test_sites_lie_between_the_writer_and_its_first_reader() -> None:
    for placement in drawn():
        for step in placement.program.steps:
            for site in placement.sites(step.variable):
                assert placement.moment(step.variable) < 2 * site <= placement.readers_after(step.variable)[0]


def test_copies_are_optional_and_any_two_suffice() -> None:
    found = circuit(draw_placement(redundant(6, 3), config(3), 0))
    assert len(found.minimal_circuits) == 3
    assert len(found.required) == len(found.edges) - 6
    assert all(len(edges) == len(found.required) + 4 for edges in found.minimal_circuits)


def test_a_network_too_shallow_is_refused() -> None:
    with pytest.raises(RuntimeError, match="does not fit"):
        draw_placement(sort(6, 4), config(1), 0)
