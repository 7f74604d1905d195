"""Edges that cannot matter: known from the architecture and from which inputs vary, whatever the weights."""

import torch
from jaxtyping import Bool
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions.activations import needed_positions
from peabench.networks import Network, Transformer


def trivial_edges(network: Network, domain: ProductDomain) -> tuple[str, ...]:
    """Edges that no weights could make matter to the output at the last position, in the order of `graph.edges`.

    Such an edge reads only positions at which its node writes the same for every input of the domain, or which the
    last output does not depend on (the causal mask hides them, or no attention follows); or it is the query or key of
    a head whose queries see a single key. Whoever leaves them out of a ranking has looked at no activation and at no
    truth.
    """
    matters = can_matter(network, domain)
    reader, node = network.graph.edge_indices.T
    kept = matters[reader, node].tolist()
    return tuple(edge for edge, matter in zip(network.graph.edges, kept, strict=True) if not matter)


def can_matter(network: Network, domain: ProductDomain) -> Bool[Tensor, "reader node"]:
    """Whether some weights could make the last output depend on what the edge carries; False where there is no edge."""
    matters = (read_positions(network)[:, None] & _varies(network, domain)).any(-1)
    return matters & network.graph.exists


def _varies(network: Network, domain: ProductDomain) -> Bool[Tensor, "node position"]:
    """Positions at which what a node writes depends on the input."""
    graph = network.graph
    varies = torch.zeros(len(graph.nodes), graph.n_positions, dtype=torch.bool)
    columns = torch.tensor(domain.varying)
    varies[: graph.n_embedding_nodes] = columns.reshape(graph.n_embedding_nodes, graph.n_positions)
    for stage in graph.stages:
        resid = varies[: stage.nodes.start].any(0)
        if stage.kind == "attention":
            assert isinstance(network, Transformer)  # the only network with attention
            resid = resid.cummax(0).values if network.config.causal else resid.any().expand_as(resid)
        varies[stage.nodes.start : stage.nodes.stop] = resid
    return varies


def read_positions(network: Network) -> Bool[Tensor, "reader position"]:
    """Positions of each reader's read that the output at the last position can depend on."""
    graph = network.graph
    last = graph.n_positions - 1
    needed = needed_positions(network, (last,), graph.n_positions)
    read = torch.zeros(len(graph.readers), graph.n_positions, dtype=torch.bool)
    read[graph.output_reader, last] = True
    for index, stage in enumerate(graph.stages):
        read[stage.readers.start : stage.readers.stop, list(needed[index])] = True
        if stage.kind == "attention":
            assert isinstance(network, Transformer)
            first = 1 if network.config.causal or last == 0 else 0  # a query that sees one key gives it all its weight
            queries = [position for position in needed[index + 1] if position >= first]
            for port, positions in enumerate((queries, needed[index] if queries else ())):
                of_port = slice(stage.readers.start + port, stage.readers.stop, 3)
                read[of_port] = False
                read[of_port, list(positions)] = True
    return read
