"""Weight norm: how strongly a reader's weights meet those of a node, without running the network."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion

Matrices = tuple[list[Float[Tensor, "any d_model"]], list[Float[Tensor, "d_model any"]]]


class WeightNorm(Scorer[CircuitQuestion, CircuitAnswer]):
    """Frobenius norm of what the node writes times what the reader reads, each in a form that no gauge changes."""

    name = "weight-norm"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021, composition

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        if isinstance(question.network, ResidualMLP | Transformer):
            return None
        return f"The weights of a {type(question.network).__name__} are not known to it."

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One product of two matrices per edge."""
        writes, reads = matrices(question.network)
        pairs = question.edge_indices.tolist()
        norms = [torch.linalg.matrix_norm(writes[node] @ reads[reader]) for reader, node in pairs]
        return CircuitAnswer(torch.stack(norms))


def matrices(network: Network) -> Matrices:
    """What each node writes to and each reader reads from the residual stream, in the order of the graph."""
    if isinstance(network, ResidualMLP):
        return residual_mlp_matrices(network)
    if isinstance(network, Transformer):
        return transformer_matrices(network)
    raise TypeError(f"expected a ResidualMLP or a Transformer, got {type(network).__name__}")


def residual_mlp_matrices(network: ResidualMLP) -> Matrices:
    """A neuron's scale is moved to the side that is looked at, so that only the product of both sides counts."""
    writes = [row[None] for row in network.w_embed]
    reads: list[Tensor] = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        for w_in, w_out in zip(block.w_in, block.w_out, strict=True):
            writes.append(w_out * w_in.norm(dim=0)[:, None])
            reads.append(w_in * w_out.norm(dim=1))
    return writes, [*reads, network.w_output]


def transformer_matrices(network: Transformer) -> Matrices:
    """Heads write W_V W_O and read by W_Q W_K^T, its transpose, and W_V W_O; norms' gains are folded into reads."""
    writes = [torch.cat([network.w_embed, network.w_position])]
    reads: list[Tensor] = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        fold = folding(block.norm_attention)
        for w_qkv, w_o in zip(block.attention.w_qkv, block.attention.w_o, strict=True):
            q, k, v = (fold(weight) for weight in w_qkv)
            writes.append(v @ w_o)
            reads += [q @ k.T, k @ q.T, v @ w_o]
        if network.config.d_mlp:
            w_in = folding(block.norm_mlp)(block.mlp.w_in)
            writes.append(block.mlp.w_out * w_in.norm(dim=0)[:, None])
            reads.append(w_in * block.mlp.w_out.norm(dim=1))
    return writes, [*reads, folding(network.norm_output)(network.w_output)]


def folding(norm: torch.nn.Module) -> Callable[[Float[Tensor, "d_model any"]], Float[Tensor, "d_model any"]]:
    """Multiplication of a weight by the gain of the norm before it."""
    gain = getattr(norm, "gain", None)
    return lambda weight: weight if gain is None else gain[:, None] * weight
