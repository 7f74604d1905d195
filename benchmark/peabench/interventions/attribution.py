"""Edge attribution patching: a first-order estimate of every edge's effect from forward and backward passes."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import (
    Activations,
    frozen,
    positions_of,
    run,
    run_with_cache,
)
from peabench.interventions.chunks import MEMORY_BYTES, Progress, example_bytes, part_of, pieces
from peabench.interventions.metrics import LinearMetric, Metric, metric_positions
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.interventions.readout import Readout
from peabench.networks import Network

Path = Literal["inputs", "activations", "masks"]


def edge_attributions(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric,
    *,
    steps: int = 1,
    path: Path = "inputs",
    edges: Sequence[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, " edge"]:
    """Estimated change of the mean metric when each edge is patched.

    One step is EAP (Syed et al. 2023, arXiv:2310.10348): the node's output in the source run minus its output in the
    base run, times the gradient of the metric at the reader's input in the base run. With more steps the gradient is
    averaged over a path from base to source (EAP-IG, Hanna et al. 2024, arXiv:2403.17806), a = 0, 1/steps, ...,
    1 - 1/steps:

    - `inputs`: embedding nodes at base + a (source - base), all else recomputed;
    - `activations`: one stage at a time (the embeddings, then each stage of the network), what its nodes write held at
      base + a (source - base), so that no gradient goes back through them, and all else recomputed; the average is
      over stages too, as in the authors' library;
    - `masks`: the reads of all readers blended with the source run's, each edge's mask at the same a; the
      differences are then taken from the run at a, and the attributions approach metric(source) - metric(base)
      in sum as steps grow (integrated gradients of the masks, Sundararajan et al. 2017, arXiv:1703.01365).

    Returns:
        One number for each of `edges`, or, without them, for each of `graph.edges`.

    Raises:
        PeabenchError: the network has no such edge.
    """
    graph = network.graph
    indices = graph.edge_indices.tolist() if edges is None else [graph.edge_index(edge) for edge in edges]
    reader, node = torch.tensor(indices).reshape(-1, 2).T
    total = torch.zeros(graph.exists.shape, device=base_inputs.device)
    look = metric_positions(metric, positions_of(network, base_inputs))
    reads = sum(len(stage.readers) for stage in graph.stages) + 2 * len(graph.nodes)
    row_bytes = positions_of(network, base_inputs) * (4 * network.config.d_model * reads + 6 * example_bytes(network))
    rows = base_inputs.shape[0]
    # A plain function may hold labels of the whole batch: it is not cut.
    linear = isinstance(metric, LinearMetric)
    for batch in pieces(rows, row_bytes, memory_bytes if linear else max(memory_bytes, rows * row_bytes)):
        part, told = (
            metric.select(batch) if isinstance(metric, LinearMetric) else metric,
            part_of(progress, batch, rows),
        )
        ours, theirs = base_inputs[batch], source_inputs[batch]
        if path == "masks":
            total += _along_masks(network, ours, theirs, part, steps)
        else:
            total += _along_nodes(network, ours, theirs, part, look, steps, path)
        if told is not None:
            told(1.0)
    return total[reader, node] / (steps * base_inputs.shape[0])


def _along_nodes(
    network: Network,
    ours: Tensor,
    theirs: Tensor,
    metric: Metric,
    look: tuple[int, ...],
    steps: int,
    path: Literal["inputs", "activations"],
) -> Float[Tensor, "reader node"]:
    """Differences of what nodes write times gradients at reads, summed over steps, and averaged over blended stages."""
    with torch.no_grad(), frozen(network):
        source = run(network, theirs, look)
        base, gradients = _reader_gradients(network, ours, metric, look)
        changes, before = source.change_from(base), map(network.graph.nodes_before, range(len(base.needed)))
        written = [
            changes.written(nodes, needed).transpose(0, 1).contiguous()
            for nodes, needed in zip(before, base.needed, strict=True)
        ]
        total = _contract(network, base, written, gradients)
        ends = network.embedding_nodes(ours), network.embedding_nodes(theirs)
        for step in range(1, steps):
            blended, gradients = _reader_gradients(network, ours, metric, look, torch.lerp(*ends, step / steps))
            total += _contract(network, blended, written, gradients)
        if path == "inputs":
            return total
        for stage in range(len(network.graph.stages)):
            ends = _inner(base, stage), _inner(source, stage)
            for step in range(steps):
                inner = (stage, torch.lerp(*ends, step / steps).requires_grad_())  # all that comes later then does, too
                blended, gradients = _reader_gradients(network, ours, metric, look, inner=inner)
                total += _contract(network, blended, written, gradients)
    return total / (len(network.graph.stages) + 1)


def _inner(run: Activations, stage: int) -> Float[Tensor, "position batch node e"]:
    """What a stage writes from, which its nodes' outputs are affine in."""
    kept = run.inner[stage]
    return run.network.react(stage, run.network.project(stage, run.resid[stage])) if kept is None else kept


def _reader_gradients(
    network: Network,
    inputs: Int[Tensor, "batch column"],
    metric: Metric,
    look: tuple[int, ...],
    embedded: Float[Tensor, "node batch position d_model"] | None = None,
    inner: tuple[int, Float[Tensor, "position batch node e"]] | None = None,
) -> tuple[Activations, list[Float[Tensor, "reader position batch d_model"]]]:
    """A run, and the gradient of its metric, summed over the batch, at all reads: stage by stage, last the output's.

    *Tapped projections*: one forward and one backward pass through shared reads stop at each reader's projection; what
    lies before it is linear but for the norm and is pulled back for each reader apart. The run takes embedding nodes,
    and what one stage writes from, as given where they are.
    """
    taps: list[list[Tensor]] = [[] for _ in network.graph.stages]

    def tap(stage: int, projections: Tensor) -> Tensor:
        taps[stage].append(projections if stage else projections.detach().requires_grad_())
        return taps[stage][-1]

    with torch.enable_grad():
        base = run(network, inputs, look, embedded, tap, inner)
        wanted = [*(tapped for stage in taps for tapped in stage), base.resid[-1]]
        gradients = list(torch.autograd.grad(Readout(base, metric).base.sum(), wanted, materialize_grads=True))
    # The first stage is gone back through here, by `pull_back`, and not by autograd, which would be metered.
    network.meter.count_backward(network.share(0, base.resid[0][..., 0].numel() / network.graph.n_positions))
    found = []
    for stage, tapped in enumerate(taps):
        ours = [gradients.pop(0) for _ in tapped]
        if len(ours) == 3:
            queries = torch.zeros_like(ours[1])
            queries[[base.needed[stage].index(p) for p in base.needed[stage + 1]]] = ours[0]
            ours = [torch.stack([queries, *ours[1:]], -3)]
        found.append(network.pull_back(stage, ours[0]))
    return base, [*found, gradients[0][None]]


def _contract(
    network: Network,
    base: Activations,
    written: list[Float[Tensor, "node position batch d_model"]],
    gradients: list[Float[Tensor, "reader position batch d_model"]],
) -> Float[Tensor, "reader node"]:
    """Inner products of what every node writes with the gradient at every later read.

    *Norms on the smaller side*: the derivative of a norm stands between the two, and is applied to the fewer of them.
    """
    graph = network.graph
    total = gradients[0].new_zeros(graph.exists.shape)
    for stage, gradient in enumerate(gradients):
        readers, node = graph.readers_at(stage), 0
        on_gradients = len(gradient) <= graph.visible[readers.start]
        if on_gradients:
            gradient = network.norm_tangent(stage, base.resid[stage], gradient)
        for change, needed in zip(written[: stage + 1], base.needed, strict=False):
            at = [needed.index(p) for p in base.needed[stage]]
            part = change if len(at) == change.shape[1] else change[:, at]
            if not on_gradients:
                part = network.norm_tangent(stage, base.resid[stage], part)
            products = gradient.flatten(1) @ part.flatten(1).T
            total[readers.start : readers.stop, node : node + len(change)] = products
            node += len(change)
    return total


def _along_masks(
    network: Network, ours: Tensor, theirs: Tensor, metric: Metric, steps: int
) -> Float[Tensor, "reader node"]:
    """Gradients of the summed metric by the masks of all edges, masks growing together from 0 towards 1."""
    base, source = run_with_cache(network, ours), run_with_cache(network, theirs)
    total = torch.zeros(network.graph.exists.shape, device=ours.device)
    for step in range(steps):
        mask = torch.full_like(total, step / steps)[None]
        with torch.enable_grad(), frozen(network):
            mask.requires_grad_()
            logits = run_patched(network, base, [EdgePatch(mask, source.nodes[:, None])])
            total += torch.autograd.grad(metric(logits[0]).sum(), mask)[0][0]
    return total
