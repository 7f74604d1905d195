"""Example-passes as the network counts them, against counts made by hand."""

from typing import Any

import pytest
import torch
from random_networks import inputs_of, network_of

from peabench.interventions import (
    edge_attributions,
    interchange,
    patch_hypotheses,
    replacement_nodes,
    run_with_cache,
    sweep_edges,
)
from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, TransformerConfig

MLP = ResidualMLPConfig(n_inputs=3, d_model=12, n_blocks=4, n_units=2, d_hidden=5, d_output=2)
ATTENTION_ONLY = TransformerConfig(
    d_vocabulary=7, n_positions=3, d_model=12, n_blocks=4, n_heads=2, d_head=4, d_mlp=0, d_output=2
)
ROWS = 6


@pytest.fixture(params=[MLP, ATTENTION_ONLY], ids=["mlp", "attention"])
def network(request: pytest.FixtureRequest) -> Network:
    """Four stages of equal cost, so that each is a quarter of a pass."""
    config: NetworkConfig = request.param
    network = network_of(config, 0)
    network.meter.reset()
    return network


def counted(network: Network) -> Any:
    return pytest.approx((network.meter.forward, network.meter.backward))


def test_a_batch_is_as_many_passes_as_it_has_rows(network: Network) -> None:
    network(inputs_of(network, ROWS, 1))
    assert counted(network) == (ROWS, 0)
    network(inputs_of(network, 2, 1))
    assert counted(network) == (ROWS + 2, 0)


@pytest.mark.parametrize(("site", "stages"), [("resid.0", 4), ("resid.1", 3), ("resid.3", 1), ("resid.4", 0)])
def test_a_gradient_at_a_site_is_the_share_of_the_stages_above_it(network: Network, site: str, stages: int) -> None:
    network.get_submodule(site).register_forward_hook(lambda module, inputs, output: output.requires_grad_())
    logits = network(inputs_of(network, ROWS, 1))
    assert counted(network) == (ROWS, 0)
    logits.sum().backward()
    assert counted(network) == (ROWS, ROWS * stages / 4)


def test_a_gradient_that_is_not_taken_costs_nothing(network: Network) -> None:
    network.get_submodule("resid.0").register_forward_hook(lambda module, inputs, output: output.requires_grad_())
    with torch.no_grad():
        network(inputs_of(network, ROWS, 1))
    assert counted(network) == (ROWS, 0)


@pytest.mark.parametrize("steps", [1, 5])
def test_attribution_is_a_source_run_and_a_forward_and_a_backward_pass_per_step(network: Network, steps: int) -> None:
    base, source = inputs_of(network, ROWS, 1), inputs_of(network, ROWS, 2)
    edge_attributions(network, base, source, lambda logits: logits.sum((-1, -2)), steps=steps)
    assert counted(network) == (ROWS * (1 + steps), ROWS * steps)


@pytest.mark.parametrize("block", range(5))
def test_an_interchange_runs_the_stages_above_its_site_once_per_hypothesis(network: Network, block: int) -> None:
    base, source = (run_with_cache(network, inputs_of(network, ROWS, seed)) for seed in (1, 2))
    assert counted(network) == (2 * ROWS, 0)
    bases = torch.linalg.qr(torch.randn(3, network.config.d_model, 2)).Q
    interchange(network, base, source, f"resid.{block}@*", bases)
    assert counted(network) == (2 * ROWS + 3 * ROWS * (4 - block) / 4, 0)


@pytest.mark.parametrize("first", range(5))
def test_hypotheses_share_a_run_up_to_the_first_stage_that_any_of_them_patches(network: Network, first: int) -> None:
    base, source = inputs_of(network, ROWS, 1), inputs_of(network, ROWS, 2)
    replacement = replacement_nodes(network, "resample", source)
    masks = torch.zeros(3, *network.graph.exists.shape)
    masks[1, network.graph.readers_at(first).start, 0] = 1
    network.meter.reset()
    patch_hypotheses(network, base, masks, replacement)
    assert counted(network) == (ROWS * (1 + first / 4 + 3 * (4 - first) / 4), 0)


def test_exact_patching_is_one_stage_per_node_that_is_read_and_the_stages_above_per_edge() -> None:
    network = network_of(MLP, 0)
    network.meter.reset()
    sweep_edges(network, inputs_of(network, ROWS, 1), inputs_of(network, ROWS, 2), None)
    runs = 2  # base and source
    reads = 3 + 5 + 7 + 9  # nodes below each of the four stages: three inputs, and two units for each stage before
    above = 3 * (2 * 3) + 2 * (2 * 5) + 1 * (2 * 7) + 0 * (2 * 9)  # stages above x edges into a stage's two units
    assert counted(network) == (ROWS * (runs + (reads + above) / 4), 0)
