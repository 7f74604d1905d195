"""Edge patching against a reference in which every reader's read is spelled out."""

from collections.abc import Callable

import pytest
import torch
from brute_force import agree, forward_edges, node_outputs
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import configs, inputs_of, metrics_of, network_of
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions import (
    edges,
    interchange,
    patch_hypotheses,
    replacement_nodes,
    run_with_cache,
    sweep_edges,
    sweep_sites,
)
from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, TransformerConfig

SEEDS = st.integers(0, 10**6)
ROWS = 6


def nodes_of(network: Network, inputs: Tensor) -> Tensor:
    seen = node_outputs(network, inputs)
    return torch.stack([seen[name] for name in network.graph.nodes])


@settings(max_examples=20, deadline=None)
@given(configs, SEEDS)
def test_every_edge_alone_agrees_with_one_forward_per_edge(config: NetworkConfig, seed: int) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    replacement = nodes_of(network, source)
    logits = []
    for edge in network.graph.edges:
        mask = torch.zeros(network.graph.exists.shape)
        mask[network.graph.edge_index(edge)] = 1
        logits.append(forward_edges(network, base, mask, replacement))
    for metric in metrics_of(network, ROWS, seed):
        with torch.inference_mode():
            found = sweep_edges(network, base, source, metric)
        agree(found, torch.stack([metric(x) for x in logits]))
    some = list(network.graph.edges[::-3])
    found = sweep_edges(network, base, source, metric, edges=some)
    agree(found, torch.stack([metric(x) for x in logits[::-3]]))


@settings(max_examples=25, deadline=None)
@given(configs, SEEDS, st.sampled_from(["resample", "mean", "zero"]))
def test_masks_and_their_gradients_agree_with_the_reference(config: NetworkConfig, seed: int, ablation: str) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    generator = torch.Generator().manual_seed(seed)
    exists = network.graph.exists
    hard = (torch.rand(2, *exists.shape, generator=generator) < 0.5).float()
    masks = (torch.cat([hard, torch.rand(1, *exists.shape, generator=generator)]) * exists).requires_grad_()
    nodes = nodes_of(network, source)
    replacement = {
        "resample": nodes,
        "mean": nodes.mean(1, keepdim=True).expand_as(nodes),
        "zero": torch.zeros_like(nodes),
    }[ablation]
    expected = torch.stack([forward_edges(network, base, mask, replacement) for mask in masks])
    given_nodes = replacement_nodes(network, ablation, source)  # type: ignore[arg-type]
    found = patch_hypotheses(network, base, masks, given_nodes)
    agree(found, expected)
    ours, theirs = (torch.autograd.grad(x.square().sum(), masks)[0] for x in (found, expected))
    # Where all of a read is ablated to zero, the derivative of a norm multiplies the rounding by 1 / sqrt(1e-5).
    agree(ours, theirs, 1e-3 if ablation == "zero" else 1e-5)
    with torch.inference_mode():
        agree(patch_hypotheses(network, base, masks, given_nodes), expected)


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
    replacement = replacement_nodes(network, "resample", source)
    masks = (torch.rand(9, *network.graph.exists.shape) < 0.5).float()
    for metric in metrics_of(network, 40, 0):
        shares: list[float] = []
        whole = sweep_edges(network, base, source, metric)
        parts = sweep_edges(network, base, source, metric, memory_bytes=600_000, progress=shares.append)
        agree(parts, whole)
        assert len(shares) > 1
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)
        whole = patch_hypotheses(network, base, masks, replacement, metric)
        shares.clear()
        parts = patch_hypotheses(
            network, base, masks, replacement, metric, memory_bytes=600_000, progress=shares.append
        )
        agree(parts, whole)
        assert len(shares) > 1
        assert shares[-1] == 1


def test_a_batch_too_large_to_be_quick_is_patched_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(CONFIGS[0], 0)
    inputs = inputs_of(network, 40, 0)
    replacement = replacement_nodes(network, "resample", inputs_of(network, 40, 1))
    masks = (torch.rand(9, *network.graph.exists.shape) < 0.5).float()
    metric = metrics_of(network, 40, 0)[0]
    whole = patch_hypotheses(network, inputs, masks, replacement, metric)
    monkeypatch.setattr(edges, "QUICK_BYTES", 1)
    agree(patch_hypotheses(network, inputs, masks, replacement, metric), whole)


def test_edges_that_the_network_has_not_are_named_in_the_error() -> None:
    network = network_of(CONFIGS[0], 0)
    inputs = inputs_of(network, 2, 0)
    with pytest.raises(PeabenchError, match=r"block0\.unit0 <- block1\.unit0"):
        sweep_edges(network, inputs, inputs, metrics_of(network, 2, 0)[0], edges=["block0.unit0 <- block1.unit0"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_plain_metric_may_hold_labels_of_the_whole_batch_under_any_budget(config: NetworkConfig) -> None:
    network = network_of(config, 0)
    base, source = inputs_of(network, 100, 0), inputs_of(network, 100, 1)
    signs = torch.randint(0, 2, (100,), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    masks = (torch.rand(3, *network.graph.exists.shape) < 0.5).float()
    runs = run_with_cache(network, base), run_with_cache(network, source)
    replacement = runs[1].nodes

    def labelled(logits: Tensor) -> Tensor:
        assert logits.shape[-3] == 100
        return (logits[..., -1, 0] * signs).tanh()

    calls: list[Callable[..., Tensor]] = [
        lambda **budget: sweep_edges(network, base, source, labelled, **budget),
        lambda **budget: sweep_sites(network, base, source, labelled, **budget),
        lambda **budget: patch_hypotheses(network, base, masks, replacement, labelled, **budget),
        lambda **budget: interchange(network, *runs, "resid.1@0", torch.eye(12)[None], metric=labelled, **budget),
    ]
    for call in calls:
        agree(call(memory_bytes=400_000), call())
