"""Information-flow routes: which nodes a read consists of, followed from the output downwards."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench.tracks.trivial_edges import read_positions

PAIRS = 512


class InformationFlowRoutes(Scorer[CircuitQuestion, CircuitAnswer]):
    """The largest threshold at which an edge is on the routes that are followed from the output downwards.

    Importance of a node c for a read x = sum of nodes: max(0, |x| - |x - c|) in the 1-norm, over its sum for all nodes
    that the read sees; the mean over 512 base inputs and the positions of the read that the last output can depend on.
    An edge is on the routes at a threshold if it is that important and its reader's node was reached. The authors weigh
    a head's edges by its attention to each position; here positions count alike, and nothing tells the readers of one
    stage apart but which of them are reached. The 1-norm knows one basis of the residual stream: the
    method is not invariant to rotations.

    Cost: one forward pass; no gradients; the sources are not used.
    """

    name = "information-flow-routes"
    track = "circuits"
    reference = "https://arxiv.org/abs/2403.00824"  # Ferrando and Voita 2024, equations 5 to 7

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """A widest path to the output for each edge."""
        route = routes(question.network, importances(question.network, question.base[:PAIRS]))
        reader, node = question.edge_indices.T
        return CircuitAnswer(route[reader, node])


def importances(network: Network, inputs: Tensor) -> Float[Tensor, "reader node"]:
    """Share of each node in what each reader reads; 0 where there is no edge."""
    graph, run = network.graph, run_with_cache(network, inputs)
    positions = read_positions(network).float()
    positions = positions / positions.sum(1, keepdim=True).clamp(min=1)
    found = torch.zeros(graph.exists.shape)
    for stage, read in enumerate(run.stage_inputs):
        readers = graph.readers_at(stage)
        nodes = run.nodes[: graph.visible[readers.start]]
        near = (read.norm(p=1, dim=-1) - (read - nodes).norm(p=1, dim=-1)).clamp(min=0)
        share = (near / near.sum(0).clamp(min=1e-30)).mean(1)
        found[readers.start : readers.stop, : len(nodes)] = positions[readers.start : readers.stop] @ share.T
    return found


def routes(network: Network, importance: Float[Tensor, "reader node"]) -> Float[Tensor, "reader node"]:
    """The largest threshold at which each edge is reached: the least importance on its best way to the output."""
    graph = network.graph
    reached = torch.zeros(len(graph.nodes) + 1)
    reached[-1] = torch.inf
    route = torch.zeros_like(importance)
    for stage in reversed(range(len(graph.stages) + 1)):
        readers, nodes = graph.readers_at(stage), graph.nodes_before(stage)
        above = slice(readers.start, readers.stop)
        route[above] = torch.minimum(importance[above], reached[graph.fed_by[above], None])
        reached[nodes.start : nodes.stop] = route[readers.start :, nodes.start : nodes.stop].max(0).values
    return route
