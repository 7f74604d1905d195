"""Interchange at sites: subspaces of one site for many bases at once, and whole nodes at every position."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions.activations import Activations, run_with_cache
from peabench.interventions.chunks import MEMORY_BYTES, Progress
from peabench.interventions.metrics import Metric
from peabench.interventions.patching import SubspacePatch, run_patched
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
    stage, node, positions = locate(network, site)
    values = site_values(network, source, site)
    if node is not None:
        values = base.stage_inputs[stage][:, positions] + values - base.nodes[node][:, positions]
    select = torch.zeros(1, 1, base.nodes.shape[2], 1)
    select[:, :, positions] = 1
    full = base.stage_inputs[stage].clone()
    full[:, positions] = values
    patch = SubspacePatch(stage, bases, full[None] @ bases[:, None], select)
    logits = run_patched(network, base, subspaces=[patch], hypotheses=bases.shape[0], start=stage)
    return logits if metric is None else metric(logits)


def sweep_sites(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric,
    *,
    nodes: Sequence[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Float[Tensor, "node position batch"]:
    """The metric with each node's output at each position taken from the source run, one at a time.

    Sites that cannot reach the metric get its value on the base run.
    """
    graph = network.graph
    indices = range(len(graph.nodes)) if nodes is None else [_node_index(network, node) for node in nodes]
    base, source = run_with_cache(network, base_inputs), run_with_cache(network, source_inputs)
    identity = torch.eye(base.nodes.shape[-1])[None]
    return torch.stack(
        [
            torch.stack(
                [
                    interchange(network, base, source, f"{graph.nodes[node]}@{p}", identity, metric=metric)[0]
                    for p in range(base.nodes.shape[2])
                ]
            )
            for node in indices
        ]
    )


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
