"""The reference for the engine: one intervention, one plain forward pass, no caching, no batching over interventions.

Sites are patched by ordinary forward hooks. Edges need each reader's own read, which hooks cannot give: `forward_edges`
spells the network out, one reader after another, from its parameters alone.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer

Edit = Callable[[Tensor], Tensor]


def agree(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Fail unless two results differ by at most 1e-5 of their scale."""
    assert found.shape == expected.shape
    scale = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * scale)


def forward_edited(network: Network, inputs: Tensor, module: str, edit: Edit) -> Tensor:
    """Logits with `edit` applied to the output [batch, position, d_model] of an addressed module by a forward hook."""
    handle = network.get_submodule(module).register_forward_hook(lambda _module, _inputs, output: edit(output))
    try:
        logits: Tensor = network(inputs)
        return logits
    finally:
        handle.remove()


def node_outputs(network: Network, inputs: Tensor) -> dict[str, Tensor]:
    """What every node and every residual stream holds in a plain run, caught by forward hooks."""
    seen: dict[str, Tensor] = {}
    names = [*network.graph.nodes, *(f"resid.{i}" for i in range(network.graph.n_blocks + 1))]
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.__setitem__(name, output)
        )
        for name in names
    ]
    network(inputs)
    for handle in handles:
        handle.remove()
    return seen


def forward_edges(network: Network, inputs: Tensor, mask: Tensor, replacement: Tensor) -> Tensor:
    """Logits where reader r sees mask[r, n] of node n's replacement and the rest of what n writes in this very run."""
    graph = network.graph
    written: list[Tensor] = []
    if isinstance(network, ResidualMLP):
        signs = inputs.float() * 2 - 1
        written += [signs[:, i, None, None] * network.w_embed[i] for i in range(inputs.shape[1])]
        constant: Tensor = network.b_embed
    else:
        assert isinstance(network, Transformer)
        written.append(network.w_embed[inputs] + network.w_position[: inputs.shape[1]])
        constant = torch.zeros(())

    def read(reader: str) -> Tensor:
        row = mask[graph.readers.index(reader)]
        seen = [(1 - row[n]) * own + row[n] * replacement[n] for n, own in enumerate(written[: visible(reader)])]
        return constant + sum(seen, torch.zeros(()))

    def visible(reader: str) -> int:
        return int(graph.visible[graph.readers.index(reader)])

    for block in range(graph.n_blocks):
        outputs = []
        if isinstance(network, ResidualMLP):
            weights = network.block(block)
            for unit in range(network.config.n_units):
                before = read(f"block{block}.unit{unit}") @ weights.w_in[unit] + weights.b_in[unit]
                width = network.config.d_hidden
                bilinear = network.config.activation == "bilinear"
                hidden = before[..., :width] * before[..., width:] if bilinear else torch.relu(before)
                outputs.append(hidden @ weights.w_out[unit])
            written += outputs
            continue
        assert isinstance(network, Transformer)
        config, layer = network.config, network.block(block)
        for head in range(config.n_heads):
            q, k, v = (
                normed(config.norm, layer.norm_attention, read(f"block{block}.head{head}.{port}"))
                @ layer.attention.w_qkv[head, i]
                + layer.attention.b_qkv[head, i]
                for i, port in enumerate("qkv")
            )
            scores = q @ k.transpose(1, 2) / math.sqrt(config.d_head)
            if config.causal:
                later = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
                scores = scores.masked_fill(later, -torch.inf)
            outputs.append(torch.softmax(scores, -1) @ v @ layer.attention.w_o[head])
        written += outputs
        constant = constant + layer.attention.b_o
        if config.d_mlp:
            x = normed(config.norm, layer.norm_mlp, read(f"block{block}.mlp"))
            hidden = x @ layer.mlp.w_in + layer.mlp.b_in
            hidden = torch.relu(hidden) if config.activation == "relu" else F.gelu(hidden)
            written.append(hidden @ layer.mlp.w_out + layer.mlp.b_out)
    final = read("output")
    if isinstance(network, Transformer):
        final = normed(network.config.norm, network.norm_output, final)
    return final @ network.w_output + network.b_output


def normed(kind: str, norm: torch.nn.Module, x: Tensor) -> Tensor:
    """The norm, spelled out."""
    if kind == "none":
        return x
    if kind == "layer":
        x = x - x.mean(-1, keepdim=True)
    x = x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * norm.get_parameter("gain")
    return x + norm.get_parameter("shift") if kind == "layer" else x
