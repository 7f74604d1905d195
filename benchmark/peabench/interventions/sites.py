"""Interchange at sites: subspaces of one site for many bases at once, and whole nodes at every position."""

from collections.abc import Iterator, Sequence
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions.activations import Activations
from peabench.interventions.chunks import MEMORY_BYTES, MOST_ROWS, Progress, example_bytes, held_bytes, part_of, pieces
from peabench.interventions.metrics import LinearMetric, Metric, batches, metric_positions, on_whole_batches
from peabench.interventions.prefix import (
    Prefix,
    needed_positions,
    node_differences,
    pick_rows,
    positions_of,
    prefix_from,
    run_prefix,
)
from peabench.interventions.readout import Readout
from peabench.interventions.replay import Replay, Rows
from peabench.mechanism.addresses import SiteAddress
from peabench.networks import Network


def site_values(network: Network, activations: Activations, site: str) -> Float[Tensor, "batch #position d_model"]:
    """What lives at a residual or node site: at its position, or at all of them for `@*`."""
    stage, node, positions = locate(network, site)
    values = activations.stage_inputs[stage] if node is None else activations.nodes[node]
    return values[:, positions]


def interchange(
    network: Network,
    base: Activations,
    source: Activations,
    site: str,
    bases: Float[Tensor, "hypothesis d_model k"],
    *,
    metric: Metric | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "hypothesis batch *logits"]:
    """Interchange interventions on subspaces of a site: coordinates x Q of the base run are set to the source run's.

    Args:
        network: the network.
        base: activations of the base inputs.
        source: activations of the source inputs, row for row.
        site: a residual site `resid.L@P` or a node's output `NODE@P`; `@*` sets every position.
        bases: orthonormal columns Q for each hypothesis; gradients flow through them.
        metric: reduces logits to one number per example, so that only what it looks at need be computed.
        memory_bytes: what the sweep may hold at once; without effect on values.
        progress: called with the share done.

    Returns:
        Logits [hypothesis, batch, position, output], or with a metric its values [hypothesis, batch].

    Raises:
        PeabenchError: the network has no such site.
    """
    if metric is not None and not isinstance(metric, LinearMetric):

        def logits(some: slice, budget: int, told: Progress | None) -> Tensor:
            return interchange(network, base, source, site, bases[some], memory_bytes=budget, progress=told)

        size = base.logits.numel() * base.logits.element_size()
        return on_whole_batches(metric, bases.shape[0], size, memory_bytes, progress, logits)
    stage, node, where = locate(network, site)
    length = base.nodes.shape[2]
    look = metric_positions(metric, length)
    live = [p for p in range(length)[where] if p in needed_positions(network, look, length)[stage]]
    rows = tuple((0, p) for p in live)
    width = example_bytes(network) * length
    results = []
    for batch, part, told in batches(metric, base.inputs.shape[0], 2 * width, memory_bytes // 2, progress):
        ours, theirs = base.select(batch), source.select(batch)
        prefix = prefix_from(network, ours, look, stage)
        replay, readout = Replay(prefix), Readout(prefix, part)
        before, after = (
            (run.stage_inputs[stage] if node is None else run.nodes[node])[:, live].movedim(1, 0)
            for run in (ours, theirs)
        )
        resid, change = prefix.at(stage, live)[:, None], (after - before)[:, None]
        outcomes = []
        for some in pieces(bases.shape[0], width * ours.inputs.shape[0], memory_bytes // 2, told):
            x = resid + (change @ bases[some]) @ bases[some].transpose(-1, -2)
            outcomes.append(readout(*replay.climb(stage, rows, len(rows) == 1, x), labels=[0])[0])
        results.append(torch.cat(outcomes))
    return torch.cat(results, 1)


def sweep_sites(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric | None,
    *,
    nodes: Sequence[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "node position batch *logits"]:
    """The metric with each node's output at each position taken from the source run, one at a time.

    Args:
        network: the network.
        base_inputs: inputs of the run that is patched.
        source_inputs: inputs of the run that the sites' values come from, row for row.
        metric: reduces logits to one number per example; None keeps whole logits.
        nodes: node addresses; None for every node, in the order of `graph.nodes`.
        memory_bytes: what the sweep may hold at once; without effect on values.
        progress: called with the share done.

    Returns:
        The metric at every site. Sites that cannot reach it get its value on the base run.

    Raises:
        PeabenchError: the network has no such node.
    """
    graph = network.graph
    addresses = graph.nodes if nodes is None else nodes
    chosen = [_node_index(network, node) for node in addresses]
    length = positions_of(network, base_inputs)
    shape = (len(chosen), length, base_inputs.shape[0])
    whole = (length, network.config.d_output)
    if metric is not None and not isinstance(metric, LinearMetric):

        def logits(some: slice, budget: int, told: Progress | None) -> Tensor:
            runs = base_inputs, source_inputs
            return sweep_sites(network, *runs, None, nodes=addresses[some], memory_bytes=budget, progress=told)

        return on_whole_batches(metric, len(chosen), 4 * prod(shape[1:] + whole), memory_bytes, progress, logits)
    look = metric_positions(metric, length)
    result = torch.empty(shape + (whole if metric is None else ()), device=base_inputs.device)
    run_bytes = 2 * length * held_bytes(network) * graph.n_blocks
    attentions = sum(stage.kind == "attention" for stage in graph.stages)
    site_bytes = held_bytes(network) * (1 if len(look) == 1 and attentions <= 2 else length)
    for batch, part, told in batches(metric, base_inputs.shape[0], run_bytes, memory_bytes // 2, progress):
        runs = run_prefix(network, torch.cat([base_inputs[batch], source_inputs[batch]]), look)
        half = batch.stop - batch.start
        base, source = runs.rows(slice(half)), runs.rows(slice(half, None))
        replay, readout = Replay(base), Readout(base, part)
        sites_at_once = max(1, int(memory_bytes // (2 * site_bytes * half)))
        for some in pieces(len(chosen), 1, sites_at_once, told):
            most = max(1, min(sites_at_once // (some.stop - some.start), 2 * MOST_ROWS // (half * len(chosen))))
            for places in pieces(length, 1, most, part_of(told, some, len(chosen))):
                positions = range(places.start, places.stop)
                for names, rows, x in climb_sites(base, source, replay, chosen[some], positions):
                    values = readout(rows, x, labels=list(positions))
                    result[[some.start + name for name in names], places, batch] = values.transpose(0, 1)
    return result


def climb_sites(
    base: Prefix, source: Prefix, replay: Replay, chosen: Sequence[int], positions: range
) -> Iterator[tuple[list[int], Rows, Float[Tensor, "row hypothesis batch d_model"]]]:
    """Take every chosen node at every position from the source run, in one walk up the network.

    Sites join the walk where their node is written; those whose live rows are the same go on together, so that the
    heads and the MLP of a block share all later stages.

    Yields:
        The entries of `chosen`, their live rows, and what `output` reads there.
    """
    graph = base.network.graph
    fronts: dict[tuple[Rows, bool], tuple[list[int], Tensor]] = {}
    for stage in range(-1, len(graph.stages)):
        moved: dict[tuple[Rows, bool], list[tuple[list[int], Tensor]]] = {}
        for (rows, single), (names, x) in fronts.items():
            step = replay.step(stage, rows, single)
            single = single and graph.stages[stage].kind != "attention"
            moved.setdefault((step.rows, single), []).append((names, step(x) if step.rows else x[:0]))
        written = range(graph.n_embedding_nodes) if stage < 0 else graph.stages[stage].nodes
        names = [i for i, node in enumerate(chosen) if node in written]
        live = [p for p in positions if p in base.needed[stage + 1]]
        if names:
            at = [base.needed[stage + 1].index(p) for p in live]
            change = node_differences(base, source, stage, live)
            if len(names) < len(written):
                change = change[:, [chosen[i] - written.start for i in names]]
            x = pick_rows(base.resid[stage + 1], at)[:, None] + change
            moved.setdefault((tuple((p, p) for p in live), True), []).append((names, x))
        fronts = {
            key: (
                [i for names, _ in parts for i in names],
                torch.cat([x for _, x in parts], 1) if len(parts) > 1 else parts[0][1],
            )
            for key, parts in moved.items()
        }
    for (rows, _), (names, x) in fronts.items():
        yield names, rows, x


def locate(network: Network, site: str) -> tuple[int, int | None, slice]:
    """The stage before which a site acts on the residual stream, its node (None for `resid.L`), its positions.

    Raises:
        PeabenchError: the network has no such site, or it is one of hidden neurons.
    """
    graph = network.graph
    address = SiteAddress.parse(site)
    if address.hidden:
        raise PeabenchError(f"expected a residual or node site, got {site!r}; hidden neurons are no residual site")
    if address.position == "*":
        positions = slice(0, graph.n_positions)
    elif address.position < graph.n_positions:
        positions = slice(address.position, address.position + 1)
    else:
        raise PeabenchError(f"expected a position below {graph.n_positions}, got site {site!r}")
    if isinstance(address.place, int):
        if address.place > graph.n_blocks:
            raise PeabenchError(f"expected resid.0 to resid.{graph.n_blocks}, got site {site!r}")
        return graph.first_stage_of_block(address.place), None, positions
    node = _node_index(network, str(address.place))
    stage = next((i + 1 for i, stage in enumerate(graph.stages) if node in stage.nodes), 0)
    return stage, node, positions


def _node_index(network: Network, node: str) -> int:
    if node not in network.graph.nodes:
        raise PeabenchError(f"expected a node of this network such as {network.graph.nodes[-1]!r}, got {node!r}")
    return network.graph.nodes.index(node)
