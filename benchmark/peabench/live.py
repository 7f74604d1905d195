"""Which subspaces of the residual stream still matter: the rest may hold anything."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import Mechanism, SiteAddress
from peabench.networks import Graph, Network, ResidualMLP

HEARD = 1e-4
"""Share of what a neuron writes below which it writes beside a subspace, but for rounding."""


def live_subspaces(mechanism: Mechanism, graph: Graph) -> dict[str, Float[Tensor, "d_model k"]]:
    """For each residual site of a network with one position: the span of all variables still read there or later.

    A variable is live from the first of its certified residual sites up to the last block that reads it, by the
    circuit; at a site past its first reader it is no longer a certified place of the variable, yet must be kept for the
    readers that remain. What is orthogonal to the span is the site's *complement*.

    With several positions it is said only where the mechanism places every variable of its causal model at one
    position; then also of sites that hold none, up to the last block. Without a circuit nothing is said.
    """
    if mechanism.circuit is None or not (graph.n_positions == 1 or _each_at_one_position(mechanism)):
        return {}
    number = {name: i for i, name in enumerate(mechanism.causal_model.kinds)}
    last_read: dict[str, int] = {}
    for edge in mechanism.circuit.edges:
        reader, _ = graph.edge_index(edge.edge)
        block = next((stage.block for stage in graph.stages if reader in stage.readers), graph.n_blocks)
        for parent, _ in edge.carries:
            last_read[parent] = max(last_read.get(parent, 0), block)
    bases: dict[str, list[Tensor]] = {}
    for alignment in sorted(mechanism.alignments, key=lambda alignment: number[alignment.variable]):
        for location in alignment.locations:
            address = SiteAddress.parse(location.site)
            if location.basis is None or not isinstance(address.place, int):
                continue
            for site in range(address.place, last_read.get(alignment.variable, -1) + 1):
                bases.setdefault(f"resid.{site}@{address.position}", []).append(mechanism.tensor(location.basis))
    width = next((len(column) for columns in bases.values() for column in columns), 0)
    sites = [f"resid.{block}@{at}" for block in range(graph.n_blocks) for at in range(graph.n_positions)]
    sites.append(f"resid.{graph.n_blocks}@{graph.n_positions - 1}")
    everywhere = graph.n_positions > 1
    return {
        site: _span(torch.cat([torch.zeros(width, 0), *bases.get(site, [])], 1))
        for site in sites
        if everywhere or site in bases
    }


def _each_at_one_position(mechanism: Mechanism) -> bool:
    """Whether every variable of the causal model is aligned, and has one position at all of its sites."""
    positions = {
        alignment.variable: {SiteAddress.parse(location.site).position for location in alignment.locations}
        for alignment in mechanism.alignments
    }
    return positions.keys() == mechanism.causal_model.kinds.keys() and all(
        len(places) == 1 and "*" not in places for places in positions.values()
    )


def read_out(network: Network) -> dict[str, Float[Tensor, "d_model k"]]:
    """By the weights alone, what can reach the output from sites of the last position, where no norm stands before it.

    Behind the last block that is the span of the unembedding; in a residual MLP also before each block: what reached
    the output behind it, and what is read by its neurons that write there. Sites where that is the whole stream are
    left out.
    """
    if getattr(network.config, "norm", "none") != "none":
        return {}
    graph = network.graph
    reached = {graph.n_blocks: _span(network.w_output.detach())}
    if isinstance(network, ResidualMLP):
        for block in reversed(range(graph.n_blocks)):
            behind, units = reached[block + 1], network.block(block)
            reads = units.w_in.detach().transpose(1, 2).flatten(0, 1)
            writes = units.w_out.detach().flatten(0, 1)
            heard = (writes @ behind).norm(dim=1) > HEARD * writes.norm(dim=1)
            reached[block] = _span(torch.cat([behind, reads[heard].T], 1))
    whole = network.config.d_model
    sites = {block: live for block, live in reached.items() if live.shape[1] < whole}
    return {f"resid.{block}@{graph.n_positions - 1}": live for block, live in sites.items()}


def _span(columns: Float[Tensor, "d_model column"]) -> Float[Tensor, "d_model k"]:
    """An orthonormal basis of what the columns span together."""
    left: Tensor
    left, singular, _ = torch.linalg.svd(columns.double(), full_matrices=False)
    return left[:, singular > 1e-4].float()
