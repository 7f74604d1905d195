"""Edge attributions against gradients through the masks of a reference that spells every read out."""

import pytest
import torch
from brute_force import agree, forward_edges, node_outputs
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import configs, inputs_of, metrics_of, network_of

from peabench.interventions import edge_attributions, run_with_cache
from peabench.networks import NetworkConfig, ResidualMLPConfig

SEEDS = st.integers(0, 10**6)
ROWS = 6


@settings(max_examples=25, deadline=None)
@given(configs, SEEDS)
def test_one_step_is_the_gradient_through_masks_at_zero(config: NetworkConfig, seed: int) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    theirs = torch.stack([node_outputs(network, source)[name] for name in network.graph.nodes])
    reader, node = network.graph.edge_indices.T
    for metric in metrics_of(network, ROWS, seed):
        mask = torch.zeros(network.graph.exists.shape, requires_grad=True)
        value = metric(forward_edges(network, base, mask, theirs)).mean()
        expected = torch.autograd.grad(value, mask)[0][reader, node]
        agree(edge_attributions(network, base, source, metric), expected)
        agree(edge_attributions(network, base, source, metric, path="masks"), expected)
        some = network.graph.edges[::-2]
        agree(edge_attributions(network, base, source, metric, edges=some), expected.flip(0)[::2])


@settings(max_examples=12, deadline=None)
@given(configs, SEEDS)
def test_steps_along_the_inputs_average_gradients_at_blended_embeddings(config: NetworkConfig, seed: int) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    runs = run_with_cache(network, base), run_with_cache(network, source)
    difference = runs[1].nodes - runs[0].nodes
    embedded = slice(network.graph.n_embedding_nodes)
    reader, node = network.graph.edge_indices.T
    metric = metrics_of(network, ROWS, seed)[2]
    expected = torch.zeros(len(network.graph.edges))
    for step in range(3):
        start = runs[0].nodes[embedded] + step / 3 * difference[embedded]
        blended = run_with_cache(network, base, start)
        reads = [
            x[None].repeat(len(s.readers), 1, 1, 1)
            for s, x in zip(network.graph.stages, blended.stage_inputs, strict=False)
        ]
        pushed = torch.cat([*reads, blended.stage_inputs[-1:]]).requires_grad_()
        resid = blended.stage_inputs[0]
        for index, stage in enumerate(network.graph.stages):
            # Each reader reads the stream plus a push of its own that is zero, so that gradients come apart.
            push = pushed[stage.readers.start : stage.readers.stop]
            outputs = network.stage(index, resid[None] + push - push.detach())
            resid = network.advance(index, resid, outputs)
        logits = network.unembed(resid + pushed[-1] - pushed[-1].detach())
        gradient = torch.autograd.grad(metric(logits).mean(), pushed)[0]
        expected += torch.einsum("rbpd,nbpd->rn", gradient, difference)[reader, node] / 3
    agree(edge_attributions(network, base, source, metric, steps=3), expected)


@settings(max_examples=12, deadline=None)
@given(configs, SEEDS)
def test_steps_along_activations_average_gradients_with_one_stage_held_in_between(
    config: NetworkConfig, seed: int
) -> None:
    network = network_of(config, seed)
    base, source = inputs_of(network, ROWS, seed), inputs_of(network, ROWS, seed + 1)
    ours, theirs = (node_outputs(network, inputs) for inputs in (base, source))
    graph = network.graph
    difference = torch.stack([theirs[name] - ours[name] for name in graph.nodes])
    layers = [range(graph.n_embedding_nodes), *(stage.nodes for stage in graph.stages)]
    for metric in metrics_of(network, ROWS, seed):
        expected = torch.zeros(graph.exists.shape)
        for layer in layers:
            for step in range(2):
                held = {
                    graph.nodes[i]: torch.lerp(ours[graph.nodes[i]], theirs[graph.nodes[i]], step / 2) for i in layer
                }
                pushes = torch.zeros(len(graph.readers), *difference.shape[1:], requires_grad=True)
                embedded = zip(graph.nodes, network.embedding_nodes(base), strict=False)
                resid = network.start(torch.stack([held.get(name, value) for name, value in embedded]))
                for index, stage in enumerate(graph.stages):
                    written = network.stage(index, resid[None] + pushes[stage.readers.start : stage.readers.stop])
                    kept = zip(stage.nodes, written, strict=True)
                    resid = network.advance(index, resid, torch.stack([held.get(graph.nodes[i], w) for i, w in kept]))
                value = metric(network.unembed(resid + pushes[-1])).mean()
                expected += torch.einsum("rbpd,nbpd->rn", torch.autograd.grad(value, pushes)[0], difference)
        reader, node = graph.edge_indices.T
        found = edge_attributions(network, base, source, metric, steps=2, path="activations")
        agree(found, expected[reader, node] / (2 * len(layers)))


def test_blended_masks_add_up_to_the_whole_effect_and_chunks_change_nothing() -> None:
    network = network_of(ResidualMLPConfig(n_inputs=4, d_model=12, n_blocks=2, n_units=3, d_hidden=5), 0)
    base, source = inputs_of(network, 40, 0), inputs_of(network, 40, 1)
    metric = metrics_of(network, 40, 0)[0]
    whole = (metric(network(source)) - metric(network(base))).mean()
    found = edge_attributions(network, base, source, metric, steps=200, path="masks")
    assert found.sum().item() == pytest.approx(whole.item(), abs=0.02)
    for path in ("inputs", "activations", "masks"):
        shares: list[float] = []
        one = edge_attributions(network, base, source, metric, steps=2, path=path)
        many = edge_attributions(
            network,
            base,
            source,
            metric,
            steps=2,
            path=path,
            memory_bytes=60_000,
            progress=shares.append,
        )
        agree(many, one)
        assert len(shares) > 1
        assert shares[-1] == 1
