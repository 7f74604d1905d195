"""Weight norm: how strongly a reader's weights meet those of a node, without running the network."""

import torch

from peabench.networks.end_matrices import end_matrices
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.composition_score import reason_against_weights


class WeightNorm(Scorer[CircuitQuestion, CircuitAnswer]):
    """Frobenius norm of what the node writes times what the reader reads, each in a form that no gauge changes.

    The composition score before it is divided by the norms of both.

    Cost: no pass.
    """

    name = "weight-norm"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021, composition

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        return reason_against_weights(question.network)

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One product of two matrices per edge."""
        writes, reads = end_matrices(question.network)
        pairs = question.edge_indices.tolist()
        norms = [torch.linalg.matrix_norm(writes[node] @ reads[reader]) for reader, node in pairs]
        return CircuitAnswer(torch.stack(norms))
