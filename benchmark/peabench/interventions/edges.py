"""Patching of edges: each edge alone, or any list of masks over all edges."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import run_with_cache
from peabench.interventions.chunks import MEMORY_BYTES, Progress
from peabench.interventions.metrics import Metric
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.networks import Network

Ablation = Literal["resample", "mean", "zero"]


def replacement_nodes(
    network: Network, ablation: Ablation, inputs: Int[Tensor, "batch column"]
) -> Float[Tensor, "node #batch position d_model"]:
    """What patched edges carry: node outputs on other inputs (`resample`), their mean over these inputs, or zero."""
    nodes = run_with_cache(network, inputs).nodes
    if ablation == "resample":
        return nodes
    mean = nodes.mean(1, keepdim=True)
    return mean if ablation == "mean" else torch.zeros_like(mean)


def patch_hypotheses(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    masks: Float[Tensor, "hypothesis reader node"],
    replacement: Float[Tensor, "node #batch position d_model"],
    metric: Metric | None = None,
    *,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "hypothesis batch *logits"]:
    """Logits under hypotheses about the circuit: each is a mask that is 1 where an edge is cut (patched).

    Args:
        network: the network.
        base_inputs: inputs of the run that is patched.
        masks: 1 where `reader <- node` carries the replacement, 0 where it carries what the node writes now, and
            between the two an interpolation; gradients flow through masks.
        replacement: from `replacement_nodes`, or any other values of the same shape.
        metric: reduces logits to one number per example.
        memory_bytes: what the sweep may hold at once; without effect on values. Under gradients the graph of all
            hypotheses is kept, and only a caller that takes few hypotheses at a time bounds it.
        progress: called with the share done.

    Returns:
        Logits [hypothesis, batch, position, output], or with a metric its values [hypothesis, batch].
    """
    base = run_with_cache(network, base_inputs)
    patch = EdgePatch(masks, replacement[:, None].expand(-1, -1, base_inputs.shape[0], -1, -1))
    logits = run_patched(network, base, [patch], hypotheses=masks.shape[0])
    return logits if metric is None else metric(logits)


def sweep_edges(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric,
    *,
    edges: Sequence[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "edge batch"]:
    """The metric with each edge, one at a time and at all positions, taken from the source run: exact patching.

    Args:
        network: the network.
        base_inputs: inputs of the run that is patched.
        source_inputs: inputs of the run that the edges' values come from, row for row.
        metric: reduces logits to one number per example.
        edges: edge addresses; None for every edge, in the order of `graph.edges`.
        memory_bytes: what the sweep may hold at once; without effect on values.
        progress: called with the share done.

    Raises:
        PeabenchError: the network has no such edge.
    """
    graph = network.graph
    index = graph.edge_indices if edges is None else torch.tensor([graph.edge_index(edge) for edge in edges])
    masks = torch.zeros(len(index), *graph.exists.shape)
    masks[torch.arange(len(index)), index[:, 0], index[:, 1]] = 1
    source = replacement_nodes(network, "resample", source_inputs)
    return patch_hypotheses(network, base_inputs, masks, source, metric)
