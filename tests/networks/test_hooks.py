"""Ordinary torch forward hooks see and change every addressed part, and say the same as the engine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from peabench.interventions import interchange, run_with_cache, site_values
from peabench.mechanism.addresses import EdgeAddress, NodeAddress, ReaderAddress
from peabench.networks import ResidualMLPConfig, TransformerConfig, build_network
from peabench.networks.config import NetworkConfig
from peabench.networks.network import Network

CONFIGS: dict[str, NetworkConfig] = {
    "residual_mlp": ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=3, n_units=2, d_hidden=5),
    "bilinear": ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=2, n_units=2, d_hidden=5, activation="bilinear"),
    "transformer": TransformerConfig(
        d_vocabulary=7, n_positions=5, d_model=8, n_blocks=2, n_heads=3, d_head=4, d_mlp=6, norm="rms", d_output=7
    ),
    "attention_only": TransformerConfig(
        d_vocabulary=7, n_positions=4, d_model=8, n_blocks=2, n_heads=2, d_head=4, causal=False, d_output=3
    ),
}


@pytest.fixture(params=CONFIGS)
def network(request: pytest.FixtureRequest) -> Network:
    return build_network(CONFIGS[request.param], torch.Generator().manual_seed(0)).requires_grad_(False)


def inputs(network: Network, seed: int) -> Tensor:
    config = network.config
    generator = torch.Generator().manual_seed(seed)
    if isinstance(config, ResidualMLPConfig):
        return torch.randint(2, (16, config.n_inputs), generator=generator)
    return torch.randint(config.d_vocabulary, (16, config.n_positions), generator=generator)


@contextmanager
def replaced(network: Network, name: str, value: Tensor) -> Iterator[None]:
    """The named submodule's output replaced, as anyone would write it with torch alone."""
    handle = network.get_submodule(name).register_forward_hook(lambda module, arguments, output: value)
    try:
        yield
    finally:
        handle.remove()


def seen(network: Network, name: str, rows: Tensor) -> Tensor:
    found: list[Tensor] = []
    handle = network.get_submodule(name).register_forward_hook(lambda module, arguments, out: found.append(out.clone()))
    network(rows)
    handle.remove()
    assert len(found) == 1
    return found[0]


def test_hooks_see_what_the_engine_caches(network: Network) -> None:
    rows = inputs(network, 1)
    run = run_with_cache(network, rows)
    assert torch.allclose(network(rows), run.logits, atol=1e-6)
    for node in network.graph.nodes:
        assert torch.allclose(seen(network, node, rows), site_values(network, run, f"{node}@*"), atol=1e-6)
    for layer in range(network.graph.n_blocks + 1):
        name = f"resid.{layer}"
        assert torch.allclose(seen(network, name, rows), site_values(network, run, f"{name}@*"), atol=1e-6)


def test_replacing_a_part_by_a_hook_is_the_engines_interchange(network: Network) -> None:
    base_rows, source_rows = inputs(network, 1), inputs(network, 2)
    base, source = run_with_cache(network, base_rows), run_with_cache(network, source_rows)
    identity = torch.eye(network.config.d_model)[None]
    moved = 0
    for name in (*network.graph.nodes, *(f"resid.{layer}" for layer in range(network.graph.n_blocks + 1))):
        with replaced(network, name, site_values(network, source, f"{name}@*")):
            by_hook = network(base_rows)
        by_engine = interchange(network, base, source, f"{name}@*", identity)[0]
        assert torch.allclose(by_hook, by_engine, atol=1e-5), name
        moved += not torch.allclose(by_hook, base.logits, atol=1e-3)
    assert moved >= network.graph.n_blocks


def test_replacing_one_position_by_a_hook_is_the_engines_interchange_there(network: Network) -> None:
    base_rows, source_rows = inputs(network, 1), inputs(network, 2)
    base, source = run_with_cache(network, base_rows), run_with_cache(network, source_rows)
    identity = torch.eye(network.config.d_model)[None]
    position = network.graph.n_positions - 1
    for name in (network.graph.nodes[-1], "resid.1"):
        value = site_values(network, base, f"{name}@*").clone()
        value[:, position] = site_values(network, source, f"{name}@{position}")[:, 0]
        with replaced(network, name, value):
            by_hook = network(base_rows)
        by_engine = interchange(network, base, source, f"{name}@{position}", identity)[0]
        assert torch.allclose(by_hook, by_engine, atol=1e-5), name


def test_every_address_of_the_graph_is_an_address_of_the_mechanism(network: Network) -> None:
    graph = network.graph
    assert [str(NodeAddress.parse(node)) for node in graph.nodes] == list(graph.nodes)
    assert [str(ReaderAddress.parse(reader)) for reader in graph.readers] == list(graph.readers)
    assert [str(EdgeAddress.parse(edge)) for edge in graph.edges] == list(graph.edges)


def test_the_graph_has_exactly_the_edges_that_the_addresses_allow(network: Network) -> None:
    graph = network.graph
    allowed = set()
    for reader in graph.readers:
        for node in graph.nodes:
            try:
                allowed.add(str(EdgeAddress.parse(f"{reader} <- {node}")))
            except ValueError:
                continue
    assert set(graph.edges) == allowed
    assert len(graph.edges) == len(allowed)
