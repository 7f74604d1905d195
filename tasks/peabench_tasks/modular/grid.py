"""Logits of many stacked networks on all pairs (first, second) of tokens at once.

What reads one token is computed once for each token and not for each pair, and what is linear after the activation is
multiplied together first: between a pair's two halves and its logits there is one sum, one activation, one product.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLPConfig, TransformerConfig, build_network

Parameters = dict[str, Float[Tensor, "network ..."]]
"""Parameters of networks of one shape, stacked along axis 0."""

Grid = Float[Tensor, "network first second output"]


def stacked(networks: Sequence[Network]) -> Parameters:
    """Copies of the networks' weights, which take gradients."""
    states = [dict(network.named_parameters()) for network in networks]
    return {name: torch.stack([s[name].detach() for s in states]).requires_grad_() for name in states[0]}


def unstacked(config: ResidualMLPConfig | TransformerConfig, parameters: Parameters, index: int) -> Network:
    """One of the networks, as an ordinary module with weights of its own."""
    network = build_network(config)
    network.load_state_dict({name: value[index].detach().clone() for name, value in parameters.items()}, strict=True)
    return network


def grid_logits(
    config: ResidualMLPConfig | TransformerConfig, parameters: Parameters, *, constant_attention: bool = False
) -> Grid:
    """Logits at the last position for each pair of tokens.

    Args:
        config: a residual MLP of one block and one unit that reads two words, or a transformer of one block without
            norms that reads two tokens.
        parameters: of networks of this config.
        constant_attention: that queries or keys are known to be 0.
    """
    if isinstance(config, ResidualMLPConfig):
        return _mlp_logits(config, parameters)
    return _transformer_logits(config, parameters, constant_attention)


def _mlp_logits(config: ResidualMLPConfig, of: Parameters) -> Grid:
    words = config.words or ()
    first, second = (of["w_embed"][:, row : row + count] for row, count in words)
    second = second + of["b_embed"][:, None]
    w_in, w_out = of["block0.w_in"][:, 0], of["block0.w_out"][:, 0]
    before = (first @ w_in)[:, :, None] + (second @ w_in + of["block0.b_in"])[:, None]
    hidden = before.square() if config.activation == "square" else before.relu()
    return _unembed(of, [first, second], hidden, w_out)


def _transformer_logits(config: TransformerConfig, of: Parameters, constant_attention: bool) -> Grid:
    embedded = of["w_embed"][:, None] + of["w_position"][:, :, None]  # [network, position, token, d_model]
    weight, bias = of["block0.attention.w_qkv"], of["block0.attention.b_qkv"]
    qkv = torch.einsum("nptd,nhcde->nchpte", embedded, weight) + bias.transpose(1, 2)[:, :, :, None, None]
    q, k, v = qkv.unbind(1)  # [network, head, position, token, e]
    query = q[:, :, 1] / math.sqrt(config.d_head)
    towards_first = k[:, :, 0] @ query.transpose(-1, -2)  # [network, head, first, second]
    towards_second = (query * k[:, :, 1]).sum(-1)
    weights = torch.sigmoid(towards_second[:, :, None] - towards_first)
    by_first = (1 - weights).permute(0, 2, 3, 1).contiguous()  # [network, first, second, head]
    by_second = weights.permute(0, 3, 2, 1).contiguous()  # [network, second, first, head]
    written = torch.einsum("nhpte,nhed->nhptd", v, of["block0.attention.w_o"])
    first, other = written[:, :, 0], written[:, :, 1]  # [network, head, token, d_model]
    evenly = written.sum(1) / 2  # [network, position, token, d_model]
    second = embedded[:, 1] + of["block0.attention.b_o"][:, None]
    w_in, w_out = of["block0.mlp.w_in"], of["block0.mlp.w_out"]

    def mixed(matrix: Float[Tensor, "network d_model out"]) -> Grid:
        """The residual stream after attention, times a matrix."""
        if constant_attention:
            return (evenly[:, 0] @ matrix)[:, :, None] + ((evenly[:, 1] + second) @ matrix)[:, None]
        ours, theirs = first @ matrix[:, None], other @ matrix[:, None]
        kept = by_first @ ours.transpose(1, 2).contiguous()
        seen = by_second @ theirs.transpose(1, 2).contiguous() + (second @ matrix)[:, :, None]
        return kept + seen.transpose(1, 2)

    before = mixed(w_in) + of["block0.mlp.b_in"][:, None, None]
    hidden = before.relu()
    tail = w_out @ of["w_output"]
    constant = (of["block0.mlp.b_out"][:, None] @ of["w_output"] + of["b_output"][:, None])[:, :, None]
    logits: Tensor = (hidden.flatten(1, 2) @ tail).view(*hidden.shape[:-1], -1)
    return logits + mixed(of["w_output"]) + constant


def _unembed(
    of: Parameters,
    direct: Sequence[Float[Tensor, "network token d_model"]],
    hidden: Float[Tensor, "network first second hidden"],
    w_out: Float[Tensor, "network hidden d_model"],
) -> Grid:
    first, second = (part @ of["w_output"] for part in direct)
    logits: Tensor = (hidden.flatten(1, 2) @ (w_out @ of["w_output"])).view(*hidden.shape[:-1], -1)
    return logits + first[:, :, None] + (second + of["b_output"][:, None])[:, None]


def networks_of(config: ResidualMLPConfig | TransformerConfig, parameters: Parameters) -> list[Network]:
    """All of them, each with weights of its own."""
    return [unstacked(config, parameters, index) for index in range(len(parameters["w_output"]))]
