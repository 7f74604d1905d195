"""Composition score: how much of what a node writes its reader's weights keep, without running the network."""

import torch

from peabench.networks import ResidualMLP, Transformer
from peabench.networks.end_matrices import end_matrices
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion


class CompositionScore(Scorer[CircuitQuestion, CircuitAnswer]):
    """|W R| / (|W| |R|) in the Frobenius norm, of what the node writes W and what the reader reads R.

    Both stand in a form that no gauge changes. It looks at no activation: what it earns, the weights give away.

    Cost: no pass.
    """

    name = "composition-score"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021, composition

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        if isinstance(question.network, ResidualMLP | Transformer):
            return None
        return f"The weights of a {type(question.network).__name__} are not known to it."

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One product of two matrices per edge."""
        writes, reads = end_matrices(question.network)
        pairs = question.edge_indices.tolist()
        products = torch.stack([torch.linalg.matrix_norm(writes[node] @ reads[reader]) for reader, node in pairs])
        written, read = (torch.stack([torch.linalg.matrix_norm(end) for end in ends]) for ends in (writes, reads))
        reader, node = question.edge_indices.T
        return CircuitAnswer(products / (written[node] * read[reader]).clamp(min=1e-30))
