"""Edges called trivial change nothing under any weights; all others change something under some."""

import pytest
import torch
from random_networks import network_of

from peabench.domain import ProductDomain
from peabench.interventions import LinearMetric, sweep_edges
from peabench.networks import NetworkConfig, ResidualMLPConfig, TransformerConfig
from peabench.tracks.trivial_edges import trivial_edges


def transformer(blocks: int, positions: int, causal: bool = True, mlp: int = 6) -> TransformerConfig:
    return TransformerConfig(
        d_vocabulary=4, n_positions=positions, d_model=8, n_blocks=blocks, n_heads=2, d_head=3, d_mlp=mlp,
        causal=causal, activation="gelu", d_output=3,
    )  # fmt: skip


MLP = ResidualMLPConfig(n_inputs=3, d_model=8, n_blocks=2, n_units=2, d_hidden=6)
CASES: list[tuple[NetworkConfig, tuple[int, ...]]] = [
    (transformer(2, 3), (4, 4, 4)),
    (transformer(2, 3), (4, 4, 1)),
    (transformer(2, 3), (4, 1, 1)),
    (transformer(1, 3), (1, 4, 1)),
    (transformer(1, 3), (4, 4, 1)),
    (transformer(3, 2, mlp=0), (1, 4)),
    (transformer(3, 2, mlp=0), (4, 1)),
    (transformer(2, 1), (4,)),
    (transformer(2, 3, causal=False), (4, 4, 1)),
    (transformer(1, 3, causal=False), (1, 4, 1)),
    (transformer(2, 1, causal=False), (4,)),
    (MLP, (2, 2, 2)),
    (MLP, (2, 1, 2)),
]


@pytest.mark.parametrize(("config", "sizes"), CASES)
def test_an_edge_is_trivial_if_and_only_if_no_weights_make_it_matter(
    config: NetworkConfig, sizes: tuple[int, ...]
) -> None:
    domain, effect = ProductDomain(sizes=sizes), torch.zeros(())
    generator = torch.Generator().manual_seed(0)
    for seed in range(4):
        network = network_of(config, seed)
        base, source = (domain.sample(32, generator) for _ in range(2))
        last = LinearMetric(torch.randn(1, 1, config.d_output, generator=generator), (-1,))
        changed = sweep_edges(network, base, source, last) - last(network(base))
        effect = torch.maximum(effect, changed.abs().amax(1))
    still = tuple(edge for edge, moved in zip(network.graph.edges, effect.tolist(), strict=True) if moved < 1e-5)
    assert trivial_edges(network, domain) == still


def test_a_fixed_last_token_makes_its_own_embedding_trivial_where_only_it_is_read() -> None:
    network = network_of(transformer(2, 3), 0)
    found = trivial_edges(network, ProductDomain(sizes=(4, 4, 1)))
    assert found == (
        "block1.head0.q <- embed",
        "block1.head1.q <- embed",
        "block1.mlp <- embed",
        "output <- embed",
    )
