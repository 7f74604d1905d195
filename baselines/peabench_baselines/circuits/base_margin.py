"""What the methods measure effects on, without any labels: the network's own prediction."""

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.interventions import LinearMetric
from peabench.networks import Network


def base_margin(network: Network, base: Int[Tensor, "pair column"]) -> LinearMetric:
    """How clearly an intervened run still says what the base run says.

    The logit of the base run's own prediction at the last position less the mean of all logits there; where there is a
    single logit, that logit with the sign that it has in the base run.
    """
    with torch.no_grad():
        last = network(base)[:, -1]
    if last.shape[-1] == 1:
        weights = torch.where(last > 0, 1.0, -1.0)
    else:
        weights = torch.nn.functional.one_hot(last.argmax(-1), last.shape[-1]) - 1 / last.shape[-1]
    return LinearMetric(weights[:, None].to(last.dtype), (-1,))
