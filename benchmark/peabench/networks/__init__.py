"""Toy architectures whose parts have addresses."""

from peabench.networks.build import build_network
from peabench.networks.config import NetworkConfig, ResidualMLPConfig, TransformerConfig
from peabench.networks.graph import Graph, Stage
from peabench.networks.network import Network
from peabench.networks.residual_mlp import ResidualMLP
from peabench.networks.transformer import Transformer

__all__ = [
    "Graph",
    "Network",
    "NetworkConfig",
    "ResidualMLP",
    "ResidualMLPConfig",
    "Stage",
    "Transformer",
    "TransformerConfig",
    "build_network",
]
