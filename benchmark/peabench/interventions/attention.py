"""Where the heads of a transformer look."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions.activations import Activations
from peabench.networks import Transformer


def attention_patterns(activations: Activations) -> dict[str, Float[Tensor, "row query key"]]:
    """The attention of every head by its node, from a run of all positions.

    Raises:
        PeabenchError: the network is no transformer.
    """
    network = activations.network
    if not isinstance(network, Transformer):
        raise PeabenchError(f"expected a Transformer, got a {type(network).__name__}, which has no attention")
    found: dict[str, Tensor] = {}
    for number, stage in enumerate(network.graph.stages):
        queries, keys = activations.queries[number], activations.keys[number]
        if stage.kind != "attention" or queries is None or keys is None:
            continue
        scores = torch.einsum("qrhe,krhe->hrqk", queries, keys) / math.sqrt(network.config.d_head)
        if network.config.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        found |= {
            network.graph.nodes[node]: pattern for node, pattern in zip(stage.nodes, scores.softmax(-1), strict=True)
        }
    return found
