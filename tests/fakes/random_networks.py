"""Small random networks of every kind, with inputs and metrics, for the engine's tests."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from peabench.interventions import LinearMetric, Metric
from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, TransformerConfig, build_network

transformers = st.builds(
    TransformerConfig,
    d_vocabulary=st.just(7),
    n_positions=st.integers(1, 4),
    d_model=st.just(12),
    n_blocks=st.integers(1, 3),
    n_heads=st.integers(1, 2),
    d_head=st.integers(2, 5),
    d_mlp=st.sampled_from([0, 16]),
    causal=st.booleans(),
    norm=st.sampled_from(["none", "rms", "layer"]),
    activation=st.sampled_from(["relu", "gelu"]),
    d_output=st.integers(1, 4),
)
residual_mlps = st.builds(
    ResidualMLPConfig,
    n_inputs=st.integers(1, 4),
    d_model=st.just(12),
    n_blocks=st.integers(1, 3),
    n_units=st.integers(1, 3),
    d_hidden=st.integers(1, 6),
    d_output=st.integers(1, 3),
    activation=st.sampled_from(["relu", "bilinear"]),
)
configs = transformers | residual_mlps


def network_of(config: NetworkConfig, seed: int) -> Network:
    """A random network with no parameter left at a special value, frozen."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(config, generator)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
        parameter.requires_grad_(False)
    return network


def inputs_of(network: Network, rows: int, seed: int) -> Tensor:
    """Random inputs."""
    generator = torch.Generator().manual_seed(seed)
    config = network.config
    if isinstance(config, ResidualMLPConfig):
        return torch.randint(0, 2, (rows, config.n_inputs), generator=generator)
    return torch.randint(0, config.d_vocabulary, (rows, config.n_positions), generator=generator)


def metrics_of(network: Network, rows: int, seed: int) -> list[Metric]:
    """A linear metric at the last position, one at several positions, and one that is not linear."""
    generator = torch.Generator().manual_seed(seed)
    outputs, length = network.config.d_output, network.graph.n_positions
    right = torch.randint(0, outputs, (rows,), generator=generator)
    some = tuple(range(0, length, 2))
    return [
        LinearMetric.logit_difference(right, None, outputs),
        LinearMetric(torch.randn(rows, len(some), outputs, generator=generator), some),
        lambda logits: logits.square().sum((-1, -2)).sqrt(),
    ]
