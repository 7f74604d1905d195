"""What a graph says of a network's readers, against their addresses."""

import pytest

from peabench.mechanism import ReaderAddress
from peabench.networks import NetworkConfig, ResidualMLPConfig, TransformerConfig, build_network


@pytest.mark.parametrize(
    "config",
    [
        ResidualMLPConfig(n_inputs=3, d_model=4, n_blocks=2, n_units=3, d_hidden=2),
        TransformerConfig(
            d_vocabulary=3, n_positions=2, d_model=4, n_blocks=2, n_heads=2, d_head=2, d_mlp=3, d_output=2
        ),
    ],
)
def test_a_reader_feeds_the_node_of_its_own_address(config: NetworkConfig) -> None:
    graph = build_network(config).graph
    for reader, node in zip(graph.readers, graph.fed_by.tolist(), strict=True):
        assert str(ReaderAddress.parse(reader).node) == (*graph.nodes, "output")[node]
