"""Composition score: how much of what a node writes its reader's weights keep, without running the network."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.networks.end_matrices import end_matrices
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion


class CompositionScore(Scorer[CircuitQuestion, CircuitAnswer]):
    """|W R| / (|W| |R|) in the Frobenius norm, of what the node writes W and what the reader reads R.

    Both stand in a form that no gauge changes; the embedding's W are the tokens' rows less their mean, as positions are
    the same for all inputs. It looks at no activation: what it earns, the weights give away.

    Cost: no pass.
    """

    name = "composition-score"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021, composition

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        return reason_against_weights(question.network)

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One product of two matrices per edge."""
        reader, node = question.edge_indices.T
        return CircuitAnswer(compositions(question.network)[reader, node])


def compositions(network: Network) -> Float[Tensor, "reader node"]:
    """The composition of every edge; 0 where there is none."""
    writes, reads = end_matrices(network)
    if isinstance(network, Transformer):
        writes[0] = network.w_embed - network.w_embed.mean(0)
    found = torch.zeros(network.graph.exists.shape)
    for reader, node in network.graph.exists.nonzero().tolist():
        ends = torch.linalg.matrix_norm(writes[node]) * torch.linalg.matrix_norm(reads[reader])
        found[reader, node] = torch.linalg.matrix_norm(writes[node] @ reads[reader]) / ends.clamp(min=1e-30)
    return found


def reason_against_weights(network: Network) -> str | None:
    """Why the weights cannot be looked at, if so."""
    if isinstance(network, ResidualMLP | Transformer):
        return None
    return f"The weights of a {type(network).__name__} are not known to it."
