"""Queries and keys for networks of constant attention: of a network that attends, turned away from the tokens.

Left at 0, where no gradient moves them, they would tell a pizza from a clock at first sight.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, Transformer

QUERIES, KEYS = 0, 1


@torch.no_grad()
def with_unread_keys(network: Network, donor: Network) -> Transformer:
    """A copy of a network of constant attention that has the queries and keys of a donor that attends.

    Both are turned in the residual stream, so that what the donor's heads read most lies where this network's tokens
    are least. Norms and singular values of queries, of keys and, head by head, of their products stay the donor's, and
    so do their constant parts; that they do next to nothing on this network's tokens is seen on these only.

    Args:
        network: of one block without norms, trained while every position was attended to alike.
        donor: of the same config.

    Raises:
        TypeError: one of them has no attention.
    """
    if not (isinstance(network, Transformer) and isinstance(donor, Transformer)):
        raise TypeError(f"expected two Transformers, got a {type(network).__name__} and a {type(donor).__name__}")
    changed = copy.deepcopy(network)
    ours, theirs = changed.block(0).attention, donor.block(0).attention
    least = torch.linalg.svd(tokens(network)).Vh.flip(0).T
    for part in (QUERIES, KEYS):
        given = theirs.w_qkv[:, part].double()
        read_most = torch.linalg.svd(given.transpose(0, 1).flatten(1)).U
        ours.w_qkv[:, part] = (least @ read_most.T @ given).float()
        ours.b_qkv[:, part] = theirs.b_qkv[:, part]
    return changed


def tokens(network: Transformer) -> Float[Tensor, "row d_model"]:
    """What the embedding writes for every token at every position."""
    written: Tensor = network.w_embed[:, None] + network.w_position
    return written.flatten(0, 1).double()
