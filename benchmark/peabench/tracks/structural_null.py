"""What architecture, position and weight norms say about an edge: a prior learnt over other tasks, no network run."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.mechanism import NodeAddress, ReaderAddress
from peabench.networks import Network
from peabench.networks.end_matrices import end_matrices
from peabench.tasks import Task
from peabench.tracks.trivial_edges import can_matter

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = np.ndarray[Any, np.dtype[Any]]
NODE_KINDS = ("embed", "input", "head", "mlp", "unit")
PORTS = ("q", "k", "v")


def edge_features(network: Network, edge_indices: Int[Tensor, "edge 2"]) -> Float[Array, "edge feature"]:
    """What is known of each edge without running the network.

    Relative depth of its ends and their squares, distance; kinds of its ends, q, k and v apart; number of either end
    among its like; weight norm of what the node writes and of what the reader reads, against those of its like.
    """
    graph = network.graph
    nodes = [NodeAddress.parse(node) for node in graph.nodes]
    readers = [ReaderAddress.parse(reader) for reader in graph.readers]
    reader_index, node_index = edge_indices.T.numpy()
    written = np.array([0 if node.block is None else node.block + 1 for node in nodes])[node_index]
    read = np.array([graph.n_blocks if r.node.block is None else r.node.block for r in readers])[reader_index]
    kinds = np.array([[node.kind == kind for kind in NODE_KINDS] for node in nodes])[node_index]
    ports = np.array(
        [[r.node.kind == "output", r.node.kind == "mlp", *(r.port == port for port in PORTS)] for r in readers]
    )[reader_index]
    early, late = written / graph.n_blocks, read / graph.n_blocks
    gap = read - written
    columns = [early, late, late - early, early**2, late**2, early * late, gap, gap == 0, gap == 1, 1 / (1 + read)]
    last_to_output = ports[:, 0] & (gap == 0)
    embedded_to_output = ports[:, 0] & (written == 0)
    inside = [last_to_output, embedded_to_output]
    node_number, reader_number = (
        np.array([address.index or 0 for address in ends]) for ends in (nodes, [r.node for r in readers])
    )
    numbers = [
        node_number[node_index] / max(1, node_number.max()),
        reader_number[reader_index] / max(1, reader_number.max()),
    ]
    writes, reads = end_matrices(network)
    norms = [
        _against_its_like(writes, [node.kind for node in nodes])[node_index],
        _against_its_like(reads, [f"{reader.node.kind} {reader.port}" for reader in readers])[reader_index],
    ]
    return np.column_stack([*columns, *inside, kinds, ports, *numbers, *norms]).astype(float)


def _against_its_like(matrices: Sequence[Float[Tensor, "any any"]], kinds: Sequence[str]) -> Float[Array, " end"]:
    """Logarithm of each matrix's norm less the mean over those of its kind."""
    norms = np.log([max(float(matrix.detach().norm()), 1e-12) for matrix in matrices])
    _, kind = np.unique(np.array(kinds), return_inverse=True)
    return norms - (np.bincount(kind, weights=norms) / np.bincount(kind))[kind]


def fit(task: Task, others: Sequence[Task]) -> "Pipeline | None":
    """The prior for `task`: the log-odds of being required, learnt over the other tasks.

    Tasks with the same causal model are left out, and so are those of the same family, size and seed, which may have
    been drawn alike. Edges that are optional are left out. None where nothing is left to learn from.
    """
    chosen = [other for other in others if not _alike(task, other)]
    found = [_examples(other) for other in chosen if other.mechanism.circuit is not None]
    if not found:
        return None
    features = np.concatenate([part[0] for part in found])
    required = np.concatenate([part[1] for part in found])
    if required.all() or not required.any():
        return None
    from sklearn.linear_model import LogisticRegression  # takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, required)


def _alike(task: Task, other: Task) -> bool:
    one, two = task.record, other.record
    if (one.family, one.size, one.seed) == (two.family, two.size, two.seed):
        return True
    return task.mechanism.causal_model == other.mechanism.causal_model


@lru_cache(maxsize=512)
def _examples(task: Task) -> tuple[Float[Array, "edge feature"], Bool[Array, " edge"]]:
    """Features of a task's required and absent edges, and which of them are required."""
    circuit = task.mechanism.circuit
    if circuit is None:
        raise ValueError(f"expected a task with a circuit, got {task.record.id}")
    network = task.network()
    graph, indices = network.graph, can_matter(network, task.record.domain).nonzero()
    by_edge = circuit.statuses(graph.edges)
    statuses = np.array(
        [by_edge[f"{graph.readers[reader]} <- {graph.nodes[node]}"] for reader, node in indices.tolist()]
    )
    kept = statuses != "optional"
    return edge_features(network, indices)[kept], (statuses == "required")[kept]
