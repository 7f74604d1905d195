"""Attribution patching: a first-order estimate of what patching each node would do, lifted to edges."""

import torch

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin
from peabench_baselines.circuits.node_lift import lifted


class AttributionPatching(Scorer[CircuitQuestion, CircuitAnswer]):
    """|mean over pairs of (source - base) output of the node . gradient of the base margin there|, of the lesser end.

    What a node writes reaches the output through its readers alone, so that its attribution is the sum of those of its
    edges, signs kept.

    Cost: three forward passes and one backward pass.
    """

    name = "attribution-patching"
    track = "circuits"
    reference = "https://arxiv.org/abs/2403.00745"  # Kramár et al. 2024; Nanda 2023
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One backward pass over all pairs."""
        network = question.network
        by_edge = edge_attributions(network, question.base, question.source, base_margin(network, question.base))
        nodes = torch.zeros(len(network.graph.nodes), device=by_edge.device)
        return CircuitAnswer(lifted(question, nodes.index_add(0, network.graph.edge_indices[:, 1], by_edge).abs()))
