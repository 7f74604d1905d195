"""Directions of the stream that no part of a circuit reads, and what of a network's content varies."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.mechanism import Mechanism
from peabench.networks import Network, Transformer
from peabench.networks.end_matrices import end_matrices

VARYING = 1e-3
"""Share of the greatest variance below which a direction counts as constant."""


def circuit_nodes(network: Network, mechanism: Mechanism) -> frozenset[int]:
    """Nodes, as the network's graph numbers them, that write or read along an edge of the mechanism's circuit.

    The output, which feeds no node, is the number after the last.

    Raises:
        ValueError: the mechanism claims no circuit.
    """
    graph, circuit = network.graph, mechanism.circuit
    if circuit is None:
        raise ValueError("expected a mechanism with a circuit, got one without")
    edges = [graph.edge_index(edge.edge) for edge in circuit.edges]
    return frozenset(node for reader, writer in edges for node in (writer, int(graph.fed_by[reader])))


@torch.no_grad()
def unread_space(
    network: Network, mechanism: Mechanism, inputs: Int[Tensor, "row position"], most_read: float
) -> Float[Tensor, "d_model unread"]:
    """Orthonormal directions that the circuit's nodes and the output read next to nothing of.

    Nor is a direction among them in which nothing varies and from which any node reads: what lies dormant, and empty
    channels, rely on its staying so.

    Args:
        network: whose weights say what is read.
        mechanism: whose circuit's readers are spared.
        inputs: on which it is seen what varies.
        most_read: square of how much of a direction all readers take together, each one's weights at norm 1, below
            which it is unread.
    """
    nodes, still = circuit_nodes(network, mechanism), still_directions(network, inputs)
    theirs = [
        weight if node in nodes else still @ (still.T @ weight)
        for weight, node in zip(normalised_reads(network), network.graph.fed_by.tolist(), strict=True)
    ]
    sizes, vectors = torch.linalg.eigh(torch.stack([weight @ weight.T for weight in theirs]).sum(0))
    found: Tensor = vectors[:, sizes < most_read]
    return found


def still_directions(network: Network, inputs: Int[Tensor, "row position"]) -> Float[Tensor, "d_model still"]:
    """Orthonormal directions in which what nodes write is the same for all inputs."""
    nodes = run_with_cache(network, inputs).nodes
    centred = (nodes - nodes.mean(1, keepdim=True)).flatten(0, -2)
    sizes, vectors = torch.linalg.eigh(centred.T @ centred)
    found: Tensor = vectors[:, sizes < VARYING * sizes[-1]]
    return found


def normalised_reads(network: Network) -> list[Float[Tensor, "d_model any"]]:
    """What each reader reads, at norm 1; of queries and keys also what meets the other's bias."""
    _, reads = end_matrices(network)
    if isinstance(network, Transformer):
        for stage in (stage for stage in network.graph.stages if stage.kind == "attention"):
            attention = network.block(stage.block).attention
            for head, ((query, key, _), (query_bias, key_bias, _)) in enumerate(
                zip(attention.w_qkv, attention.b_qkv, strict=True)
            ):
                for port, met in enumerate((query @ key_bias, key @ query_bias)):
                    reader = stage.readers.start + 3 * head + port
                    reads[reader] = torch.cat([reads[reader], met[:, None]], 1)
    return [weight / weight.norm().clamp(min=1e-30) for weight in reads]


def readings_of_all_that_varies(
    stream: Float[Tensor, "row d_model"], count: int, generator: torch.Generator
) -> Float[Tensor, "d_model count"]:
    """Random readings to which every direction in which the stream varies contributes alike; each has norm 1."""
    centred = stream - stream.mean(0)
    sizes, vectors = torch.linalg.eigh(centred.T @ centred)
    varying = sizes > VARYING * sizes[-1]
    mixed = torch.randn(int(varying.sum()), count, generator=generator)
    return torch.nn.functional.normalize(vectors[:, varying] * sizes[varying].rsqrt() @ mixed, dim=0)
