"""What architecture and position alone say about an edge: a prior learnt over other tasks."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from peabench.mechanism import NodeAddress, ReaderAddress
from peabench.networks import Graph, build_network
from peabench.tasks import Task

Array = np.ndarray[Any, np.dtype[Any]]
NODE_KINDS = ("embed", "input", "head", "mlp", "unit")
PORTS = ("q", "k", "v")


def edge_features(graph: Graph) -> Float[Array, "edge feature"]:
    """Where each edge lies: relative depth of its ends and their squares, distance, kinds of its ends.

    Numbers of units, heads and input columns are no features: they say nothing across tasks.
    """
    nodes = [NodeAddress.parse(node) for node in graph.nodes]
    readers = [ReaderAddress.parse(reader) for reader in graph.readers]
    reader_index, node_index = graph.edge_indices.T.numpy()
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
    return np.column_stack([*columns, *inside, kinds, ports]).astype(float)


def fit(task: Task, others: Sequence[Task]) -> Pipeline | None:
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
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, required)


def _alike(task: Task, other: Task) -> bool:
    one, two = task.record, other.record
    if (one.family, one.size, one.seed) == (two.family, two.size, two.seed):
        return True
    return task.mechanism.causal_model == other.mechanism.causal_model


@lru_cache(maxsize=512)
def _examples(task: Task) -> tuple[Float[Array, "edge feature"], Bool[Array, " edge"]]:
    """Features of a task's required and absent edges, and which of them are required."""
    graph = build_network(task.record.network).graph
    circuit = task.mechanism.circuit
    if circuit is None:
        raise ValueError(f"expected a task with a circuit, got {task.record.id}")
    statuses = np.array(list(circuit.statuses(graph.edges).values()))
    kept = statuses != "optional"
    return edge_features(graph)[kept], (statuses == "required")[kept]
