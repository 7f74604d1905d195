"""Patching of edges: each edge alone, or any list of masks over all edges."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import (
    Activations,
    frozen,
    positions_of,
    project_attention,
    run,
    run_with_cache,
)
from peabench.interventions.chunks import MEMORY_BYTES, MOST_ROWS, QUICK_BYTES, Progress, example_bytes, pieces
from peabench.interventions.metrics import LinearMetric, Metric, batches, metric_positions, on_whole_batches
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.interventions.readout import Readout
from peabench.interventions.replay import Replay
from peabench.networks import Network, Transformer

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

    Where it is 1, `reader <- node` carries the replacement (from `replacement_nodes`, or any values of that shape),
    where 0 what the node writes now, and between the two an interpolation; gradients flow through masks. Under
    gradients the graph of all hypotheses is kept: only a caller that takes few at a time bounds the memory.

    Returns:
        Logits [hypothesis, batch, position, output], or with a metric its values [hypothesis, batch].
    """
    graph, results = network.graph, []
    length = positions_of(network, base_inputs)
    if metric is not None and not isinstance(metric, LinearMetric):
        size = 4 * len(base_inputs) * length * network.config.d_output

        def again(few: Tensor, **left: Any) -> Tensor:
            return patch_hypotheses(network, base_inputs, few, replacement, **left)

        return on_whole_batches(metric, masks, size, memory_bytes, progress, again)
    reads = (len(graph.nodes) + 2 * max(len(stage.readers) for stage in graph.stages)) * 4 * network.config.d_model
    row_bytes = length * (reads + 2 * example_bytes(network))
    for batch, part, told in batches(metric, base_inputs.shape[0], row_bytes, memory_bytes // 2, progress):
        base = run_with_cache(network, base_inputs[batch])
        rows = replacement if replacement.shape[1] == 1 else replacement[:, batch]
        outcomes, bytes_each = [], row_bytes * base.inputs.shape[0]
        for some in pieces(len(masks), bytes_each, max(bytes_each, min(memory_bytes, QUICK_BYTES)), told):
            patch = EdgePatch(masks[some], rows[:, None].expand(-1, -1, base.inputs.shape[0], length, -1))
            with frozen(network):
                patched = run_patched(network, base, [patch], hypotheses=some.stop - some.start)
            outcomes.append(patched if part is None else part(patched))
        results.append(torch.cat(outcomes))
    return torch.cat(results, 1)


def sweep_edges(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric | None,
    *,
    edges: Sequence[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "edge batch *logits"]:
    """The metric with each edge, one at a time and at all positions, taken from the source run: exact patching.

    Inputs are row for row. Without a metric whole logits are kept; without `edges` every edge is swept, in the order of
    `graph.edges`.

    Raises:
        PeabenchError: the network has no such edge.
    """
    graph, names = network.graph, network.graph.edges if edges is None else edges
    length = positions_of(network, base_inputs)
    shape, whole = (len(names), len(base_inputs)), (length, network.config.d_output)
    if metric is not None and not isinstance(metric, LinearMetric):
        size, again = 4 * prod(shape[1:] + whole), partial(sweep_edges, network, base_inputs, source_inputs, None)
        return on_whole_batches(
            metric, names, size, memory_bytes, progress, lambda few, **left: again(edges=few, **left)
        )
    wanted: dict[int, list[tuple[int, int, int]]] = {}
    for entry, (reader, node) in enumerate(map(graph.edge_index, names)):
        stage = next(i for i in range(len(graph.stages) + 1) if reader in graph.readers_at(i))
        wanted.setdefault(stage, []).append((entry, reader - graph.readers_at(stage).start, node))
    result = torch.empty(shape + (whole if metric is None else ()), device=base_inputs.device)
    look = metric_positions(metric, length)
    row_bytes = 2 * example_bytes(network) * length
    most_rows = min(MOST_ROWS, memory_bytes // (4 * example_bytes(network)))
    for batch, part, told in batches(metric, len(base_inputs), row_bytes, memory_bytes // 4, progress):
        runs = run(network, torch.cat([base_inputs[batch], source_inputs[batch]]), look)
        half = batch.stop - batch.start
        base = runs.select(slice(half))
        changes = runs.select(slice(half, None)).change_from(base)
        replay, readout = Replay(base), Readout(base, part)
        for done, (stage, patched) in enumerate(wanted.items()):
            nodes = sorted({node for _, _, node in patched})
            after = min(stage + 1, len(graph.stages))
            rows = tuple((0, p) for p in base.needed[after])
            for some in pieces(len(nodes), row_bytes * half, max(memory_bytes // 4, row_bytes * half)):
                for entries, x in patch_stage(base, changes, stage, nodes[some], patched, most_rows // half):
                    result[entries, batch] = readout(*replay.climb(after, rows, x), labels=[0])[0]
            if told is not None:
                told((done + 1) / len(wanted))
    return result


def patch_stage(
    base: Activations,
    changes: Activations,
    stage: int,
    nodes: Sequence[int],
    edges: Sequence[tuple[int, int, int]],
    most: int,
) -> Iterator[tuple[list[int], Float[Tensor, "position edge batch d_model"]]]:
    """Patch edges from some nodes into the readers of one stage (or into the output), each alone.

    *Reads are sums*: what a reader takes from base + (source - base) of one node is computed once for all readers of
    the stage; an edge then replaces one reader's part, and only the change of that one node's output goes on.

    Edges are given as number of the edge, number of the reader within the stage, node; those from other nodes are
    passed over. At most so many positions times edges go on together.

    Yields:
        Numbers of edges, and the residual stream after the stage (for the output, what it reads).
    """
    network = base.network
    change = changes.written(nodes, base.needed[stage])
    reads = base.resid[stage][:, None] + change
    ours = [(entry, reader, nodes.index(node)) for entry, reader, node in edges if node in nodes]
    if stage == len(base.inner):
        yield [entry for entry, _, _ in ours], reads[:, [at for _, _, at in ours]]
        return
    size = max(1, most // len(base.needed[stage + 1]))
    for port, ports, inner in patched_inner(base, stage, reads):
        mine = [(entry, reader // ports, at) for entry, reader, at in ours if reader % ports == port]
        for first in range(0, len(mine), size):
            entries, writers, places = (list(column) for column in zip(*mine[first : first + size], strict=True))
            unpatched = base.inner[stage]
            if inner is None or unpatched is None:
                yield entries, network.stage_sum(stage, reads[:, places]) - change[:, places]
            else:
                difference = inner[:, places, :, writers] - unpatched[:, :, writers].movedim(2, 0)
                moved = difference @ network.output_weights(stage)[writers][:, None]
                yield entries, base.resid[stage + 1][:, None] + moved.movedim(0, 1)


def patched_inner(
    base: Activations, stage: int, reads: Float[Tensor, "position node batch d_model"]
) -> Iterator[tuple[int, int, Float[Tensor, "position node batch writer e"] | None]]:
    """Inner values of a stage when one kind of reader (q, k, v) takes these reads and the others the base run's.

    Yields:
        The kind, their number, and the inner values; None for a stage of one reader, which needs none.
    """
    network = base.network
    if base.inner[stage] is None:
        yield 0, 1, None
    elif not isinstance(network, Transformer):
        yield 0, 1, network.react(stage, network.project(stage, reads))
    else:
        asking = [base.needed[stage].index(p) for p in base.needed[stage + 1]]
        new = project_attention(network, stage, reads, asking)
        old = [tensor for kept in (base.queries, base.keys, base.values) if (tensor := kept[stage]) is not None]
        for port in range(3):
            q, k, v = (
                new[i] if i == port else tensor[:, None].expand(-1, reads.shape[1], -1, -1, -1)
                for i, tensor in enumerate(old)
            )
            yield port, 3, network.attend(q, k, v, base.needed[stage + 1])
