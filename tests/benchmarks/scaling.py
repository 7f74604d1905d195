"""Seconds of all edges exactly against the number of edges, layers, width and domain size."""

from collections.abc import Callable

import torch
from torch import Tensor

from peabench.interventions import LinearMetric, sweep_edges
from peabench.networks import Network, ResidualMLPConfig, TransformerConfig, build_network


def transformer(n_blocks: int = 2, d_model: int = 64, n_heads: int = 4) -> Network:
    """A transformer of the table's kind."""
    config = TransformerConfig(
        d_vocabulary=64,
        n_positions=12,
        d_model=d_model,
        n_blocks=n_blocks,
        n_heads=n_heads,
        d_head=d_model // n_heads,
        d_mlp=4 * d_model,
        norm="layer",
        activation="gelu",
        d_output=64,
    )
    return build_network(config, torch.Generator().manual_seed(0)).requires_grad_(False)


def boolean(n_units: int = 4) -> Network:
    """A residual MLP of the Boolean family's kind."""
    config = ResidualMLPConfig(n_inputs=10, d_model=32, n_blocks=3, n_units=n_units, d_hidden=16)
    return build_network(config, torch.Generator().manual_seed(0)).requires_grad_(False)


def every_edge(network: Network, rows: int) -> Callable[[], Tensor]:
    """The sweep of all edges on random inputs."""
    config = network.config
    boolean_inputs = isinstance(config, ResidualMLPConfig)
    values, columns = (2, config.n_inputs) if boolean_inputs else (config.d_vocabulary, config.n_positions)
    base, source = torch.randint(0, values, (2, rows, columns), generator=torch.Generator().manual_seed(0))
    right = torch.zeros(rows, dtype=torch.long)
    metric = LinearMetric.logit_difference(right, None, config.d_output)

    def run() -> Tensor:
        with torch.inference_mode():
            return sweep_edges(network, base, source, metric)

    return run


AXES: dict[str, tuple[tuple[int, ...], Callable[[int], Callable[[], Tensor]]]] = {
    "layers of a transformer, batch 64": ((1, 2, 3, 4, 6), lambda size: every_edge(transformer(n_blocks=size), 64)),
    "width of a 2-layer transformer, batch 64": (
        (32, 64, 128, 256),
        lambda size: every_edge(transformer(d_model=size), 64),
    ),
    "units per block of a 3-block residual MLP, 4,096 pairs": (
        (2, 4, 8, 16),
        lambda size: every_edge(boolean(n_units=size), 4096),
    ),
    "pairs of inputs, 3-block residual MLP of 4 units": (
        (1024, 4096, 16384, 65536),
        lambda size: every_edge(boolean(), size),
    ),
}
"""For each axis its sizes and, for a size, the work that is timed."""


def edge_count(axis: str, size: int) -> int:
    """Number of edges of the network at a size of an axis."""
    if axis.startswith("layers"):
        return len(transformer(n_blocks=size).graph.edges)
    if axis.startswith("width"):
        return len(transformer(d_model=size).graph.edges)
    return len((boolean(n_units=size) if axis.startswith("units") else boolean()).graph.edges)
