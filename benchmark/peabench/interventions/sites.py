"""Interchange at sites: subspaces of one site for many bases at once, and whole nodes at every position."""

from collections.abc import Sequence
from functools import partial
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions.activations import Activations, needed_positions, positions_of, run
from peabench.interventions.chunks import MEMORY_BYTES, MOST_ROWS, Progress, example_bytes, pieces
from peabench.interventions.metrics import LinearMetric, Metric, batches, metric_positions, on_whole_batches
from peabench.interventions.readout import Readout
from peabench.interventions.replay import Replay
from peabench.mechanism.addresses import SiteAddress
from peabench.networks import Network


def site_values(network: Network, activations: Activations, site: str) -> Float[Tensor, "batch #position d_model"]:
    """What lives at a residual or node site: at its position, or at all of them for `@*`."""
    stage, node, positions = locate(network, site)
    return values_at(activations, stage, node, range(network.graph.n_positions)[positions]).transpose(0, 1)


def values_at(
    activations: Activations, stage: int, node: int | None, positions: Sequence[int]
) -> Float[Tensor, "position batch d_model"]:
    """What a node, written just before a stage, holds at some positions; the residual stream where it is None."""
    return activations.at(stage, positions) if node is None else activations.written([node], positions)[:, 0]


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

    Base and source are cached runs, row for row. The site is of the residual stream, `resid.L@P`, or a node's output,
    `NODE@P`; `@*` sets every position. Each hypothesis has orthonormal columns Q; gradients flow through them. The
    metric reduces logits to one number per example, so that only what it looks at need be computed.

    Returns:
        Logits [hypothesis, batch, position, output] at the positions that the base run looks at, or with a metric its
        values [hypothesis, batch].

    Raises:
        PeabenchError: the network has no such site, or a run was cut to other positions than the metric looks at.
    """
    if metric is not None and not isinstance(metric, LinearMetric):
        size, again = 4 * base.logits.numel(), partial(interchange, network, base, source, site)
        return on_whole_batches(metric, bases, size, memory_bytes, progress, again)
    stage, node, where = locate(network, site)
    length = len(base.embedded)
    look = base.look if metric is None else metric_positions(metric, length)
    base.require(look)
    source.require(look)
    live = [p for p in range(length)[where] if p in needed_positions(network, look, length)[stage]]
    width = example_bytes(network) * length
    results = []
    for batch, part, told in batches(metric, len(base.inputs), 2 * width, memory_bytes // 2, progress):
        ours, theirs = base.select(batch), source.select(batch)
        change = (values_at(theirs, stage, node, live) - values_at(ours, stage, node, live))[:, None]
        ours = ours.look_at(look)
        resid, replay, readout = ours.at(stage, live)[:, None], Replay(ours), Readout(ours, part)
        outcomes = []
        for some in pieces(len(bases), width * len(ours.inputs), memory_bytes // 2, told):
            x = resid + (change @ bases[some]) @ bases[some].transpose(-1, -2)
            outcomes.append(readout(*replay.climb(stage, tuple((0, p) for p in live), x), labels=[0])[0])
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

    Inputs are row for row. Without a metric whole logits are kept; without `nodes` every node is swept, in the order of
    `graph.nodes`. Sites that cannot reach the metric get its value on the base run.

    Raises:
        PeabenchError: the network has no such node.
    """
    graph = network.graph
    addresses = graph.nodes if nodes is None else nodes
    chosen = [_node_index(network, node) for node in addresses]
    length = positions_of(network, base_inputs)
    shape, whole = (len(chosen), length, len(base_inputs)), (length, network.config.d_output)
    if metric is not None and not isinstance(metric, LinearMetric):
        size, again = 4 * prod(shape[1:] + whole), partial(sweep_sites, network, base_inputs, source_inputs, None)
        return on_whole_batches(
            metric, addresses, size, memory_bytes, progress, lambda few, **left: again(nodes=few, **left)
        )
    look = metric_positions(metric, length)
    result = torch.empty(shape + (whole if metric is None else ()), device=base_inputs.device)
    run_bytes = 3 * length * example_bytes(network) * graph.n_blocks
    attentions = sum(stage.kind == "attention" for stage in graph.stages)
    site_bytes = example_bytes(network) * (1 if len(look) == 1 and attentions <= 2 else length)
    for batch, part, told in batches(metric, len(base_inputs), run_bytes, memory_bytes // 2, progress):
        runs = run(network, torch.cat([base_inputs[batch], source_inputs[batch]]), look)
        half = batch.stop - batch.start
        base = runs.select(slice(half))
        changes = runs.select(slice(half, None)).change_from(base)
        replay, readout = Replay(base), Readout(base, part)
        result[:, :, batch] = readout.base
        most = max(1, min(int(memory_bytes // (2 * site_bytes * half)), MOST_ROWS // half))
        done = 0
        for stage in range(len(graph.stages) + 1):
            live = base.needed[stage]
            entries = [entry for entry, node in enumerate(chosen) if node in graph.nodes_before(stage)]
            for some in pieces(len(entries), len(live), max(most, len(live))):
                few = entries[some]
                change = changes.written([chosen[entry] for entry in few], live)
                for places in pieces(len(live), 1, max(1, most // len(few))):
                    at = live[places]
                    x = base.resid[stage][places, None] + change[places]
                    values = readout(*replay.climb(stage, tuple((p, p) for p in at), x), labels=at)
                    result[[[entry] for entry in few], list(at), batch] = values.transpose(0, 1)
            done += len(entries)
            if told is not None:
                told(done / len(chosen))
    return result


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
    return next(i for i in range(len(graph.stages) + 1) if node in graph.nodes_before(i)), node, positions


def _node_index(network: Network, node: str) -> int:
    if node not in network.graph.nodes:
        raise PeabenchError(f"expected a node of this network such as {network.graph.nodes[-1]!r}, got {node!r}")
    return network.graph.nodes.index(node)
