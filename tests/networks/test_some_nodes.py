"""Some nodes of a stage alone give what they give among all of them."""

import pytest
import torch

from peabench.networks import build_network
from peabench.networks.config import ResidualMLPConfig, TransformerConfig

CONFIGS = [
    ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=2, n_units=4, d_hidden=3),
    TransformerConfig(
        d_vocabulary=5, n_positions=4, d_model=8, n_blocks=2, n_heads=4, d_head=3, d_mlp=6, norm="rms", d_output=5
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
@pytest.mark.parametrize("shared", [True, False])
def test_some_nodes_of_a_stage(config: ResidualMLPConfig | TransformerConfig, shared: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    network = build_network(config, generator).requires_grad_(False)
    shape = (7, 8) if config.kind == "residual_mlp" else (7, 4, 8)
    for number, stage in enumerate(network.graph.stages):
        reads = torch.randn(1 if shared else len(stage.readers), *shape, generator=generator)
        every = network.stage(number, reads)
        some = [3, 1] if len(stage.nodes) > 1 else [0]
        ports = len(stage.readers) // len(stage.nodes)
        theirs = reads if shared else reads[[node * ports + port for node in some for port in range(ports)]]
        torch.testing.assert_close(network.stage(number, theirs, some), every[some])
