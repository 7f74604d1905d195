"""From a config to a network, freshly initialised or with stored weights."""

import torch

from peabench.networks.config import NetworkConfig, ResidualMLPConfig
from peabench.networks.network import Network
from peabench.networks.residual_mlp import ResidualMLP
from peabench.networks.transformer import Transformer


def build_network(config: NetworkConfig, generator: torch.Generator | None = None) -> Network:
    """A randomly initialised network; the same generator state gives the same weights."""
    if isinstance(config, ResidualMLPConfig):
        return ResidualMLP(config, generator)
    return Transformer(config, generator)
