"""Interchange at sites against forward hooks: one patch, one forward pass, nothing cached."""

import pytest
import torch
from brute_force import agree, forward_edited, node_outputs
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import configs, inputs_of, metrics_of, network_of
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions import interchange, run_with_cache, site_values, sweep_sites
from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, TransformerConfig

SEEDS = st.integers(0, 10**6)
ROWS = 6


def patched_node(network: Network, base: Tensor, theirs: Tensor, node: str, position: int) -> Tensor:
    def edit(output: Tensor) -> Tensor:
        output = output.clone()
        output[:, position] = theirs[:, position]
        return output

    return forward_edited(network, base, node, edit)


@settings(max_examples=30, deadline=None)
@given(configs, SEEDS)
def test_sweep_agrees_with_one_hook_and_one_forward_per_site(config: NetworkConfig, seed: int) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    theirs = node_outputs(network, source)
    for metric in metrics_of(network, ROWS, seed):
        expected = torch.stack(
            [
                torch.stack(
                    [
                        metric(patched_node(network, base, theirs[node], node, position))
                        for position in range(network.graph.n_positions)
                    ]
                )
                for node in network.graph.nodes
            ]
        )
        with torch.inference_mode():
            agree(sweep_sites(network, base, source, metric), expected)


@settings(max_examples=40, deadline=None)
@given(configs, SEEDS, st.data())
def test_interchange_agrees_with_a_hook(config: NetworkConfig, seed: int, data: st.DataObject) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    resid = [f"resid.{i}" for i in range(network.graph.n_blocks + 1)]
    place = data.draw(st.sampled_from([*resid, *network.graph.nodes]))
    position = data.draw(st.sampled_from(["*", *range(network.graph.n_positions)]))
    bases = torch.linalg.qr(torch.randn(3, 12, 2, generator=torch.Generator().manual_seed(seed))).Q
    where = slice(None) if position == "*" else slice(position, position + 1)
    theirs = node_outputs(network, source)[place]

    def swap(basis: Tensor) -> Tensor:
        def edit(output: Tensor) -> Tensor:
            output = output.clone()
            output[:, where] += (theirs - output)[:, where] @ basis @ basis.T
            return output

        return forward_edited(network, base, place, edit)

    site = f"{place}@{position}"
    runs = run_with_cache(network, base), run_with_cache(network, source)
    expected = torch.stack([swap(basis) for basis in bases])
    agree(interchange(network, *runs, site, bases), expected)
    for metric in metrics_of(network, ROWS, seed):
        found = interchange(network, *runs, site, bases, metric=metric)
        agree(found, torch.stack([metric(logits) for logits in expected]))
    agree(site_values(network, runs[1], site), theirs[:, where])


@settings(max_examples=20, deadline=None)
@given(configs, SEEDS, st.data())
def test_gradients_through_bases_are_those_of_the_reference(
    config: NetworkConfig, seed: int, data: st.DataObject
) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    block = data.draw(st.integers(0, network.graph.n_blocks))
    position = data.draw(st.integers(0, network.graph.n_positions - 1))
    basis = torch.linalg.qr(torch.randn(1, 12, 2, generator=torch.Generator().manual_seed(seed))).Q.requires_grad_()
    theirs = node_outputs(network, source)[f"resid.{block}"]

    def edit(output: Tensor) -> Tensor:
        output = output.clone()
        output[:, position] += (theirs - output)[:, position] @ basis[0] @ basis[0].T
        return output

    (expected,) = torch.autograd.grad(forward_edited(network, base, f"resid.{block}", edit).square().sum(), basis)
    runs = run_with_cache(network, base), run_with_cache(network, source)
    logits = interchange(network, *runs, f"resid.{block}@{position}", basis)
    (found,) = torch.autograd.grad(logits.square().sum(), basis)
    agree(found, expected)


CONFIGS: list[NetworkConfig] = [
    ResidualMLPConfig(n_inputs=4, d_model=12, n_blocks=3, n_units=3, d_hidden=5),
    TransformerConfig(
        d_vocabulary=7, n_positions=5, d_model=12, n_blocks=3, n_heads=2, d_head=4, d_mlp=16, norm="layer", d_output=3
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_results_do_not_depend_on_the_chunk_size_and_progress_ends_at_one(config: NetworkConfig) -> None:
    network = network_of(config, 0)
    base, source = inputs_of(network, 40, 0), inputs_of(network, 40, 1)
    runs = run_with_cache(network, base), run_with_cache(network, source)
    bases = torch.linalg.qr(torch.randn(7, 12, 2)).Q
    for metric in metrics_of(network, 40, 0):
        shares: list[float] = []
        whole = sweep_sites(network, base, source, metric)
        parts = sweep_sites(network, base, source, metric, memory_bytes=300_000, progress=shares.append)
        agree(parts, whole)
        assert len(shares) > 1
        assert shares == sorted(shares)
        assert shares[-1] == 1
        whole = interchange(network, *runs, "resid.1@0", bases, metric=metric)
        parts = interchange(network, *runs, "resid.1@0", bases, metric=metric, memory_bytes=600_000)
        agree(parts, whole)


def test_a_site_that_cannot_reach_the_metric_costs_nothing() -> None:
    network = network_of(CONFIGS[1], 0)
    base, source = inputs_of(network, 8, 0), inputs_of(network, 8, 1)
    metric = metrics_of(network, 8, 0)[0]
    runs = run_with_cache(network, base), run_with_cache(network, source)
    network.meter.reset()
    dead = interchange(network, *runs, "block2.head0@1", torch.eye(12)[None], metric=metric)
    dead_cost = network.meter.forward
    interchange(network, *runs, "block2.head0@4", torch.eye(12)[None], metric=metric)
    assert dead_cost == 0
    assert network.meter.forward > 0
    agree(dead[0], metric(network(base)))


@pytest.mark.parametrize("site", ["resid.4@0", "resid.0@5", "block0.unit0@0", "block0.mlp.hidden@0", "nowhere"])
def test_sites_that_the_network_has_not_are_named_in_the_error(site: str) -> None:
    network = network_of(CONFIGS[1], 0)
    run = run_with_cache(network, inputs_of(network, 2, 0))
    with pytest.raises(PeabenchError, match=site.split("@")[0]):
        interchange(network, run, run, site, torch.eye(12)[None])


def test_too_small_a_budget_is_an_error() -> None:
    network = network_of(CONFIGS[0], 0)
    run = run_with_cache(network, inputs_of(network, 50, 0))
    with pytest.raises(PeabenchError, match="memory_bytes"):
        interchange(network, run, run, "resid.0@0", torch.eye(12)[None], memory_bytes=10)


def test_logits_are_of_the_positions_of_the_base_and_a_source_without_them_is_refused_in_a_sentence() -> None:
    config = TransformerConfig(
        n_blocks=1, n_heads=2, d_model=8, d_head=4, d_vocabulary=5, n_positions=3, d_output=5, d_mlp=0
    )
    network = network_of(config, 0)
    inputs = inputs_of(network, ROWS, 0)
    whole, last = run_with_cache(network, inputs), run_with_cache(network, inputs, look=(2,))
    logits = interchange(network, last, whole, "resid.1@2", torch.eye(8)[None])
    everywhere = interchange(network, whole, whole, "resid.1@2", torch.eye(8)[None])
    assert torch.equal(logits, everywhere[:, :, 2:])
    with pytest.raises(PeabenchError, match=r"looks at the positions \[0, 1, 2\], got one that was cut to \[2\]"):
        interchange(network, whole, last, "resid.1@2", torch.eye(8)[None])
