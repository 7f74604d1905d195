"""From scores of nodes to scores of edges, for methods that say nothing of edges."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.circuits import CircuitQuestion


def lifted(question: CircuitQuestion, importance: Float[Tensor, " node"]) -> Float[Tensor, " edge"]:
    """The lesser importance of an edge's two ends; into the output, that of its node.

    So the edges above a threshold are those among the nodes above it, which is how methods that find heads are compared
    with methods that find edges by Conmy et al. 2023 (arXiv:2304.14997, section 4).
    """
    ends = torch.cat([importance, importance.new_full((1,), torch.inf)])
    reader, node = question.edge_indices.T
    return torch.minimum(ends[node], ends[question.network.graph.fed_by[reader]])
