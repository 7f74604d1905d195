"""Edge attribution patching: a first-order estimate of every edge's effect from forward and backward passes."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import frozen, run_with_cache
from peabench.interventions.chunks import MEMORY_BYTES, Progress, example_bytes
from peabench.interventions.metrics import Metric, batches, metric_positions
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.interventions.prefix import (
    Prefix,
    node_differences,
    pick_rows,
    positions_of,
    project_attention,
    run_prefix,
)
from peabench.interventions.replay import Readout
from peabench.networks import Network, Transformer

Path = Literal["inputs", "activations"]


def edge_attributions(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric,
    *,
    steps: int = 1,
    path: Path = "inputs",
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, " edge"]:
    """Estimated change of the mean metric when each edge is patched, in the order of `graph.edges`.

    One step is EAP (Syed et al. 2023, arXiv:2310.10348): the node's output in the source run minus its output in the
    base run, times the gradient of the metric at the reader's input in the base run. With more steps the gradient is
    averaged over a path from base to source (EAP-IG, Hanna et al. 2024, arXiv:2403.17806):

    - `inputs`: embedding nodes at base + a (source - base), all else recomputed, a = 0, 1/steps, ..., 1 - 1/steps;
    - `activations`: the reads of all readers blended with the source run's, each edge's mask at the same a; the
      differences are then taken from the run at a, and the attributions approach metric(source) - metric(base)
      in sum as steps grow.
    """
    graph = network.graph
    total = torch.zeros(graph.exists.shape, device=base_inputs.device)
    look = metric_positions(metric, positions_of(network, base_inputs))
    reads = sum(len(stage.readers) for stage in graph.stages) + 2 * len(graph.nodes)
    row_bytes = positions_of(network, base_inputs) * (4 * network.config.d_model * reads + 6 * example_bytes(network))
    for batch, part, told in batches(metric, base_inputs.shape[0], row_bytes, memory_bytes, progress):
        assert part is not None
        ours, theirs = base_inputs[batch], source_inputs[batch]
        if path == "activations":
            total += _blended(network, ours, theirs, part, steps)
        else:
            total += _along_inputs(network, ours, theirs, part, look, steps)
        if told is not None:
            told(1.0)
    reader, node = graph.edge_indices.T
    return total[reader, node] / (steps * base_inputs.shape[0])


def _along_inputs(
    network: Network, ours: Tensor, theirs: Tensor, metric: Metric, look: tuple[int, ...], steps: int
) -> Float[Tensor, "reader node"]:
    """Differences of what nodes write times gradients at reads, summed over steps that blend the embeddings."""
    with torch.no_grad(), frozen(network):
        runs = run_prefix(network, torch.cat([ours, theirs]), look)
        base, source = runs.rows(slice(len(ours))), runs.rows(slice(len(ours), None))
        written = [
            node_differences(base, source, stage, base.needed[stage + 1]).transpose(0, 1).contiguous()
            for stage in range(-1, len(network.graph.stages))
        ]
        total = base.embedded.new_zeros(network.graph.exists.shape)
        for step in range(steps):
            blend = torch.lerp(base.embedded, source.embedded, step / steps) if step else base.embedded
            total += _contract(network, base, written, _reader_gradients(network, base, blend, metric))
    return total


def _reader_gradients(
    network: Network, base: Prefix, embedded: Float[Tensor, "position batch node d_model"], metric: Metric
) -> list[Float[Tensor, "reader position batch d_model"]]:
    """Gradient of the metric, summed over the batch, at the read of every reader, stage by stage and last the output.

    *Tapped projections*: one forward and one backward pass through shared reads stop at each reader's projection; what
    lies before it is linear but for the norm and is pulled back for each reader apart.
    """
    x = pick_rows(network.start(embedded.permute(2, 1, 0, 3)).movedim(1, 0), base.needed[0]).contiguous()
    reads, taps = [], list[tuple[Tensor, ...]]()
    with torch.enable_grad():
        for stage, at in enumerate(network.graph.stages):
            reads.append(x.detach())
            if isinstance(network, Transformer) and at.kind == "attention":
                taps.append(project_attention(network, stage, x, base.needed))
                taps[-1] = tuple(tap if stage else tap.detach().requires_grad_() for tap in taps[-1])
                inner = network.attend(*taps[-1], base.needed[stage + 1])
                x = pick_rows(x, [base.needed[stage].index(p) for p in base.needed[stage + 1]])
            else:
                projections = network.project(stage, x)
                taps.append((projections if stage else projections.detach().requires_grad_(),))
                inner = network.react(stage, taps[-1][0])
            x = x + network.write(stage, inner)
        value = Readout(base, metric).of(x)
        gradients = list(torch.autograd.grad(value.sum(), [*(tap for taps_ in taps for tap in taps_), x]))
    found = []
    for stage, (read, tapped) in enumerate(zip(reads, taps, strict=True)):
        ours = [gradients.pop(0) for _ in tapped]
        if len(ours) == 3:
            queries = torch.zeros_like(ours[1])
            queries[[base.needed[stage].index(p) for p in base.needed[stage + 1]]] = ours[0]
            ours = [torch.stack([queries, *ours[1:]], -3)]
        found.append(network.pull_back(stage, read, ours[0]))
    return [*found, gradients[0][None]]


def _contract(
    network: Network,
    base: Prefix,
    written: list[Float[Tensor, "node position batch d_model"]],
    gradients: list[Float[Tensor, "reader position batch d_model"]],
) -> Float[Tensor, "reader node"]:
    """Inner products of what every node writes with the gradient at every later read."""
    graph = network.graph
    total = gradients[0].new_zeros(graph.exists.shape)
    for stage, gradient in enumerate(gradients):
        readers = (
            graph.stages[stage].readers if stage < len(graph.stages) else range(graph.output_reader, len(graph.readers))
        )
        node = 0
        for change, needed in zip(written[: stage + 1], base.needed, strict=False):
            at = [needed.index(p) for p in base.needed[stage]]
            part = change if len(at) == change.shape[1] else change[:, at]
            products = gradient.flatten(1) @ part.flatten(1).T
            total[readers.start : readers.stop, node : node + len(change)] = products
            node += len(change)
    return total


def _blended(
    network: Network, ours: Tensor, theirs: Tensor, metric: Metric, steps: int
) -> Float[Tensor, "reader node"]:
    """Gradients of the summed metric by the masks of all edges, masks growing together from 0 towards 1."""
    base, source = run_with_cache(network, ours), run_with_cache(network, theirs)
    total = ours.new_zeros(network.graph.exists.shape, dtype=base.nodes.dtype)
    for step in range(steps):
        mask = torch.full_like(total, step / steps)[None]
        with torch.enable_grad(), frozen(network):
            mask.requires_grad_()
            logits = run_patched(network, base, [EdgePatch(mask, source.nodes[:, None])])
            total += torch.autograd.grad(metric(logits[0]).sum(), mask)[0][0]
    return total
