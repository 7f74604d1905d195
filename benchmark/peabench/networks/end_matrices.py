"""What each node writes to the residual stream and each reader reads from it, in forms that no gauge changes."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks.network import Network
from peabench.networks.residual_mlp import ResidualMLP
from peabench.networks.transformer import Transformer

Matrices = tuple[list[Float[Tensor, "any d_model"]], list[Float[Tensor, "d_model any"]]]


def end_matrices(network: Network) -> Matrices:
    """What each node writes to and each reader reads from the residual stream, in the order of the graph.

    Norms of both, and of a product of the two, are the same in every gauge of `networks.gauge`.

    Raises:
        TypeError: the weights of such a network are not known.
    """
    if isinstance(network, ResidualMLP):
        return residual_mlp_matrices(network)
    if isinstance(network, Transformer):
        return transformer_matrices(network)
    raise TypeError(f"expected a ResidualMLP or a Transformer, got {type(network).__name__}")


def residual_mlp_matrices(network: ResidualMLP) -> Matrices:
    """A neuron's scale is moved to the side that is looked at, so that only the product of all its sides counts."""
    words = network.config.words or [(row, 1) for row in range(network.config.n_inputs)]
    writes = [network.w_embed[first : first + count] for first, count in words]
    reads: list[Tensor] = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        for w_in, w_out in zip(block.w_in, block.w_out, strict=True):
            norms, length = w_in.norm(dim=0), w_out.norm(dim=1)
            if network.config.activation == "bilinear":
                first, second = norms.chunk(2)
                writes.append(w_out * (first * second)[:, None])
                reads.append(w_in * torch.cat([second * length, first * length]))
            else:
                writes.append(w_out * norms[:, None] ** network.degree)
                reads.append(w_in * length ** (1 / network.degree))
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
