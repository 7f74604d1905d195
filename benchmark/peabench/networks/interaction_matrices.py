"""What the weights of a one-block residual MLP say of each input and of each pair of inputs, no input ever run."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks.network import Network
from peabench.networks.residual_mlp import ResidualMLP


@dataclass(frozen=True)
class InteractionMatrices:
    """The residual stream after the block as `constant + sum_i x_i linear_i + sum_{i<j} x_i x_j products_ij`.

    For inputs x of 0 and 1. A bilinear block is that on every input: coordinate c is x^T B_c x + constant with
    `linear[:, c]` on the diagonal of B_c and half of `products` on either side of it (Pearce et al. 2024,
    arXiv:2410.08417). A block of relu neurons is that where at most two inputs are on.
    """

    constant: Float[Tensor, " d_model"]
    linear: Float[Tensor, "input d_model"]
    products: Float[Tensor, "input input d_model"]
    """Zero on and below the diagonal."""

    def stream(self, rows: Float[Tensor, "row input"]) -> Float[Tensor, "row d_model"]:
        """The residual stream that the matrices give for inputs of 0 and 1."""
        return self.constant + rows @ self.linear + torch.einsum("ri,ijd,rj->rd", rows, self.products, rows)


@torch.no_grad()
def interaction_matrices(network: Network) -> InteractionMatrices:
    """The four cases of every pair of inputs, all others off, from the weights; in double precision.

    Neither the order and scale of neurons nor the exchange of a product's factors changes the result, and a rotation
    of the residual stream rotates its last axis.

    Raises:
        PeabenchError: it is no residual MLP of one block that reads columns of 0 and 1.
    """
    if not isinstance(network, ResidualMLP) or network.config.n_blocks != 1 or network.config.words is not None:
        raise PeabenchError(
            "expected a residual MLP of one block whose columns are 0 and 1, got another network; "
            "no interaction matrices are known of it"
        )
    block = network.block(0)
    w_embed, w_in, b_in, w_out = (w.double() for w in (network.w_embed, block.w_in, block.b_in, block.w_out))
    off = network.b_embed.double() - w_embed.sum(0)
    before = torch.einsum("d,udp->up", off, w_in) + b_in
    each = torch.einsum("id,udp->iup", 2 * w_embed, w_in)

    def written(projections: Float[Tensor, "*case unit projected"]) -> Float[Tensor, "*case d_model"]:
        return torch.einsum("...uh,uhd->...d", network.react(0, projections.clone()), w_out)

    none, one = written(before), written(before + each)
    first, second = torch.triu_indices(len(each), len(each), 1)
    products = torch.zeros(len(each), len(each), len(none), dtype=torch.float64)
    both = written(before + each[first] + each[second])
    products[first, second] = both - one[first] - one[second] + none
    return InteractionMatrices(off + none, 2 * w_embed + one - none, products)
