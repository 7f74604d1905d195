"""Patching of edges: each edge alone, or any list of masks over all edges."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import frozen, run_with_cache
from peabench.interventions.chunks import (
    MEMORY_BYTES,
    MOST_ROWS,
    Progress,
    example_bytes,
    in_cache,
    pieces,
)
from peabench.interventions.metrics import LinearMetric, Metric, batches, metric_positions, on_whole_batches
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.interventions.prefix import Prefix, node_differences, positions_of, project_attention, run_prefix
from peabench.interventions.readout import Readout
from peabench.interventions.replay import Replay, Rows
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
    graph, results = network.graph, []
    length = positions_of(network, base_inputs)
    if metric is not None and not isinstance(metric, LinearMetric):

        def logits(some: slice, budget: int, told: Progress | None) -> Tensor:
            few = masks[some]
            return patch_hypotheses(network, base_inputs, few, replacement, memory_bytes=budget, progress=told)

        size = 4 * base_inputs.shape[0] * length * network.config.d_output
        return on_whole_batches(metric, len(masks), size, memory_bytes, progress, logits)
    reads = (len(graph.nodes) + 2 * max(len(stage.readers) for stage in graph.stages)) * 4 * network.config.d_model
    row_bytes = length * (reads + 2 * example_bytes(network))
    for batch, part, told in batches(metric, base_inputs.shape[0], row_bytes, memory_bytes // 2, progress):
        base = run_with_cache(network, base_inputs[batch])
        rows = replacement if replacement.shape[1] == 1 else replacement[:, batch]
        outcomes = []
        for some in pieces(len(masks), row_bytes * base.inputs.shape[0], memory_bytes, told):
            patch = EdgePatch(masks[some], rows[:, None].expand(-1, -1, base.inputs.shape[0], length, -1))
            start = 0 if masks.requires_grad else first_patched_stage(network, masks[some])
            with frozen(network):
                patched = run_patched(network, base, [patch], hypotheses=some.stop - some.start, start=start)
            outcomes.append(patched if part is None else part(patched))
        results.append(torch.cat(outcomes))
    return torch.cat(results, 1)


def first_patched_stage(network: Network, masks: Float[Tensor, "hypothesis reader node"]) -> int:
    """The first stage with a reader of which any mask patches an edge; the number of stages where only `output` has."""
    patched = (masks != 0).any(0).any(-1)
    stages = network.graph.stages
    return next((i for i, s in enumerate(stages) if patched[s.readers.start : s.readers.stop].any()), len(stages))


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

    Args:
        network: the network.
        base_inputs: inputs of the run that is patched.
        source_inputs: inputs of the run that the edges' values come from, row for row.
        metric: reduces logits to one number per example; None keeps whole logits.
        edges: edge addresses; None for every edge, in the order of `graph.edges`.
        memory_bytes: what the sweep may hold at once; without effect on values.
        progress: called with the share done.

    Raises:
        PeabenchError: the network has no such edge.
    """
    graph, names = network.graph, network.graph.edges if edges is None else edges
    length = positions_of(network, base_inputs)
    shape, whole = (len(names), base_inputs.shape[0]), (length, network.config.d_output)
    if metric is not None and not isinstance(metric, LinearMetric):

        def logits(some: slice, budget: int, told: Progress | None) -> Tensor:
            runs = base_inputs, source_inputs
            return sweep_edges(network, *runs, None, edges=names[some], memory_bytes=budget, progress=told)

        return on_whole_batches(metric, len(names), 4 * prod(shape[1:] + whole), memory_bytes, progress, logits)
    wanted: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for entry, (reader, node) in enumerate(graph.edge_index(edge) for edge in names):
        stage = next((i for i, stage in enumerate(graph.stages) if reader in stage.readers), len(graph.stages))
        first = graph.stages[stage].readers.start if stage < len(graph.stages) else reader
        wanted.setdefault(stage, {}).setdefault(node, []).append((entry, reader - first))
    result = torch.empty(shape + (whole if metric is None else ()), device=base_inputs.device)
    look = metric_positions(metric, length)
    row_bytes = 2 * example_bytes(network) * length
    for batch, part, told in batches(metric, base_inputs.shape[0], row_bytes, memory_bytes // 4, progress):
        runs = run_prefix(network, torch.cat([base_inputs[batch], source_inputs[batch]]), look)
        half = batch.stop - batch.start
        base, source = runs.rows(slice(half)), runs.rows(slice(half, None))
        replay, readout = Replay(base), Readout(base, part)
        most_rows = min(MOST_ROWS, memory_bytes // (4 * example_bytes(network)))
        for done, (stage, nodes) in enumerate(wanted.items()):
            for some in pieces(len(nodes), row_bytes * half, max(memory_bytes // 4, row_bytes * half)):
                chosen = dict(list(nodes.items())[some])
                for entries, rows, x in patch_stage(base, source, replay, stage, chosen, most_rows):
                    result[entries, batch] = readout(rows, x, labels=[0])[0]
            if told is not None:
                told((done + 1) / len(wanted))
    return result


def patch_stage(
    base: Prefix, source: Prefix, replay: Replay, stage: int, wanted: dict[int, list[tuple[int, int]]], most_rows: int
) -> Iterator[tuple[list[int], Rows, Float[Tensor, "row hypothesis batch d_model"]]]:
    """Patch edges into the readers of one stage, each alone.

    *Reads are sums*: what a reader takes from base + (source - base) of one node is computed once for all readers of
    the stage; an edge then replaces one reader's part, and only the change of that one node's output goes on.

    Args:
        base: the base run.
        source: the source run.
        replay: of the base run.
        stage: the stage, or the number of stages for the output.
        wanted: for each node, (number of the edge, number of the reader within the stage) of its edges.
        most_rows: rows of the residual stream that go on together.

    Yields:
        Numbers of edges, their live rows, and what `output` reads there.
    """
    network, graph = base.network, base.network.graph
    before = base.needed[stage]
    change = torch.cat([written_difference(base, source, node, before) for node in wanted], 1)
    reads = base.resid[stage][:, None] + change
    if stage == len(graph.stages):
        yield [edges[0][0] for edges in wanted.values()], tuple((0, p) for p in before), reads
        return
    after = base.needed[stage + 1]
    rows = tuple((0, p) for p in after)
    pairs = [(entry, reader, at) for at, edges in enumerate(wanted.values()) for entry, reader in edges]
    size = max(1, most_rows // (len(after) * reads.shape[2]))
    if base.inner[stage] is None:
        for first in range(0, len(pairs), size):
            part = slice(first, first + size)
            x = in_cache(lambda x: network.stage_sum(stage, x), reads[:, part]) - change[:, part]
            yield [entry for entry, _, _ in pairs[part]], *replay.climb(stage + 1, rows, len(rows) == 1, x)
        return
    weights = network.output_weights(stage)
    for port, inner in patched_inner(base, stage, reads):
        ours = [
            (entry, reader if port is None else reader // 3, at)
            for entry, reader, at in pairs
            if port is None or reader % 3 == port
        ]
        difference = inner - base.inner[stage][:, None]  # type: ignore[index]
        for first in range(0, len(ours), size):
            entries, nodes, places = (list(column) for column in zip(*ours[first : first + size], strict=True))
            moved = difference[:, places, :, nodes] @ weights[nodes][:, None]
            x = base.resid[stage + 1][:, None] + moved.movedim(0, 1)
            yield entries, *replay.climb(stage + 1, rows, len(rows) == 1, x)


def patched_inner(
    base: Prefix, stage: int, reads: Float[Tensor, "position node batch d_model"]
) -> Iterator[tuple[int | None, Float[Tensor, "position node batch writer e"]]]:
    """Inner values of a stage when one kind of reader takes these reads and the others the base run's.

    Units are all of one kind (None). Of a head, q (0), k (1) or v (2) changes while the two others stay.
    """
    network = base.network
    if not isinstance(network, Transformer):
        yield None, network.react(stage, network.project(stage, reads))
        return
    new = project_attention(network, stage, reads, base.needed)
    old = [kept[stage] for kept in (base.queries, base.keys, base.values)]
    shape = (-1, reads.shape[1], -1, -1, -1)
    for port in range(3):
        q, k, v = (
            new[i] if i == port else tensor[:, None].expand(shape)  # type: ignore[index]
            for i, tensor in enumerate(old)
        )
        yield port, network.attend(q, k, v, base.needed[stage + 1])


def written_difference(
    base: Prefix, source: Prefix, node: int, positions: Sequence[int]
) -> Float[Tensor, "position 1 batch d_model"]:
    """What one node writes in the source run beyond the base run."""
    graph = base.network.graph
    stage = next((i for i, stage in enumerate(graph.stages) if node in stage.nodes), -1)
    first = 0 if stage < 0 else graph.stages[stage].nodes.start
    return node_differences(base, source, stage, positions)[:, node - first : node - first + 1]
