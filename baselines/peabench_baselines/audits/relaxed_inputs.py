"""Networks run on from embeddings, which gradients and mixtures of values can reach."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network
from peabench.tracks.audits import AuditQuestion


def unfit(question: AuditQuestion) -> str | None:
    """Why a question's networks cannot be run from the sum of their embeddings, if they cannot."""
    alone = all(network.graph.n_positions == 1 for network in question.networks)
    return None if alone else "its inputs are mixed at a single position, and these networks have several"


def embeddings(network: Network, sizes: tuple[int, ...]) -> Float[Tensor, "column value d_model"]:
    """What each value of each column adds to the stream."""
    rows = torch.stack([torch.full((len(sizes),), value) for value in range(max(sizes))])
    rows = torch.minimum(rows, torch.tensor(sizes) - 1)
    with torch.no_grad():
        return network.embedding_nodes(rows)[: len(sizes), :, 0]


def finished(network: Network, stream: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
    """Logits of a network of one position from what the embeddings add up to."""
    resid = stream[:, None] if network.constant is None else stream[:, None] + network.constant
    for stage in range(len(network.graph.stages)):
        resid = resid + network.stage(stage, resid[None]).sum(0)
    return network.unembed(resid)[:, 0]
