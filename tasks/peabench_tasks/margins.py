"""One margin for all networks of a question: how confident a network is shall not tell how it works."""

import torch

from peabench.domain import ProductDomain
from peabench.networks import Network

MARGIN = 8.0
"""Mean over the domain: the distance of a single logit from 0, or of the largest of several from the next one."""


@torch.no_grad()
def mean_margin(network: Network, domain: ProductDomain) -> float:
    """How far a network's logits at the last position are from another output, on average over a domain."""
    logits = network(domain.all())[:, -1]
    if logits.shape[1] == 1:
        return float(logits.abs().mean())
    first, second = logits.topk(2, -1).values.unbind(-1)
    return float((first - second).mean())


@torch.no_grad()
def set_margin(network: Network, domain: ProductDomain, margin: float = MARGIN) -> None:
    """Scale the weights and biases of the output so that the mean margin is the one asked for."""
    factor = margin / mean_margin(network, domain)
    network.w_output.mul_(factor)
    network.b_output.mul_(factor)
