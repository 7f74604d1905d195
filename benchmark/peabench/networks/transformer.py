"""A small transformer: heads with separate q, k and v readers, optional MLP, optional norm, learned positions."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # the name everyone knows
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from peabench.networks.config import TransformerConfig
from peabench.networks.graph import transformer_graph
from peabench.networks.network import Network


class Norm(nn.Module):
    """Root-mean-square or layer normalisation with a gain (and, for `layer`, a shift), or nothing at all."""

    def __init__(self, kind: str, d_model: int) -> None:
        super().__init__()
        self.kind = kind
        if kind != "none":
            self.gain = nn.Parameter(torch.ones(d_model))
        if kind == "layer":
            self.shift = nn.Parameter(torch.zeros(d_model))

    @override
    def forward(self, x: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        if self.kind == "none":
            return x
        if self.kind == "layer":
            return F.layer_norm(x, x.shape[-1:], self.gain, self.shift, 1e-5)
        return F.rms_norm(x, x.shape[-1:], self.gain, 1e-5)

    def scale(self) -> Float[Tensor, "#d_model"]:
        """The gain; 1 where there is none."""
        gain: Tensor = getattr(self, "gain", torch.ones(1))
        return gain

    def tangent(
        self, x: Float[Tensor, "*row d_model"], vectors: Float[Tensor, "vector *row d_model"]
    ) -> Float[Tensor, "vector *row d_model"]:
        """The derivative at `x` of the division (gain and shift left out), applied to vectors."""
        if self.kind == "none":
            return vectors
        if self.kind == "layer":
            x = x - x.mean(-1, keepdim=True)
        scale = (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
        unit = x * scale
        out = vectors * scale
        out.addcmul_(unit, (out * unit).mean(-1, keepdim=True), value=-1)
        return out.sub_(out.mean(-1, keepdim=True)) if self.kind == "layer" else out


class Attention(nn.Module):
    """Parameters of one attention layer, stacked over heads."""

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None) -> None:
        super().__init__()
        heads, d_model, d_head = config.n_heads, config.d_model, config.d_head
        scale = 1 / math.sqrt(d_model)
        self.w_qkv = nn.Parameter(torch.randn(heads, 3, d_model, d_head, generator=generator) * scale)
        self.b_qkv = nn.Parameter(torch.zeros(heads, 3, d_head))
        self.w_o = nn.Parameter(torch.randn(heads, d_head, d_model, generator=generator) / math.sqrt(d_head * heads))
        self.b_o = nn.Parameter(torch.zeros(d_model))


class MLP(nn.Module):
    """Parameters of one MLP; called, it is the place where hooks see its output."""

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None) -> None:
        super().__init__()
        self.w_in = nn.Parameter(
            torch.randn(config.d_model, config.d_mlp, generator=generator) / math.sqrt(config.d_model)
        )
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        self.w_out = nn.Parameter(
            torch.randn(config.d_mlp, config.d_model, generator=generator) / math.sqrt(config.d_mlp)
        )
        self.b_out = nn.Parameter(torch.zeros(config.d_model))

    @override
    def forward(self, output: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        return output


class Block(nn.Module):
    """Attention, then (optionally) an MLP; the children `head0`, `head1`, ... and `mlp` are places for hooks."""

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None) -> None:
        super().__init__()
        self.norm_attention = Norm(config.norm, config.d_model)
        self.attention = Attention(config, generator)
        for head in range(config.n_heads):
            self.add_module(f"head{head}", nn.Identity())
        if config.d_mlp:
            self.norm_mlp = Norm(config.norm, config.d_model)
            self.mlp = MLP(config, generator)


class Transformer(Network):
    """Tokens in, one row of logits per position out."""

    config: TransformerConfig
    mask: Tensor

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(transformer_graph(config))
        self.config = config
        self.w_embed = nn.Parameter(torch.randn(config.d_vocabulary, config.d_model, generator=generator) * 0.5)
        self.w_position = nn.Parameter(torch.randn(config.n_positions, config.d_model, generator=generator) * 0.5)
        self.add_module("embed", nn.Identity())
        for block in range(config.n_blocks):
            self.add_module(f"block{block}", Block(config, generator))
        self.norm_output = Norm(config.norm, config.d_model)
        self.w_output = nn.Parameter(
            torch.randn(config.d_model, config.d_output, generator=generator) / math.sqrt(config.d_model)
        )
        self.b_output = nn.Parameter(torch.zeros(config.d_output))
        blocked = torch.ones(config.n_positions, config.n_positions, dtype=torch.bool).triu(1)
        hidden = torch.zeros(config.n_positions, config.n_positions)
        self.register_buffer("mask", hidden.masked_fill(blocked, -torch.inf) if config.causal else hidden, False)

    def block(self, index: int) -> Block:
        """The block's parameters."""
        return self.get_submodule(f"block{index}")  # type: ignore[return-value]  # add_module loses the type

    @override
    @property
    def constant(self) -> None:
        return None

    @override
    def embedding_nodes(self, inputs: Int[Tensor, "batch position"]) -> Float[Tensor, "1 batch position d_model"]:
        self.admit(inputs)
        return (F.embedding(inputs, self.w_embed) + self.w_position[: inputs.shape[1]])[None]

    @override
    def stage_bias(self, stage: int) -> Float[Tensor, " d_model"] | None:
        at = self.graph.stages[stage]
        return self.block(at.block).attention.b_o if at.kind == "attention" else None

    @override
    def stage(
        self, stage: int, reads: Float[Tensor, "reader *row position d_model"], nodes: list[int] | None = None
    ) -> Float[Tensor, "node *row position d_model"]:
        at = self.graph.stages[stage]
        block = self.block(at.block)
        rows = reads.shape[1:-2]
        flat = reads.reshape(reads.shape[0], -1, *reads.shape[-2:])
        self.count(stage, flat, flat.shape[1])
        if at.kind == "mlp":
            out = self.mlp(block, block.norm_mlp(flat))
        else:
            out = self.attention(block, block.norm_attention(flat), slice(None) if nodes is None else nodes)
        return out.reshape(out.shape[0], *rows, *out.shape[-2:])

    def mlp(self, block: Block, x: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        """The MLP's output on normalised reads."""
        activation = torch.relu if self.config.activation == "relu" else F.gelu
        return activation(x @ block.mlp.w_in + block.mlp.b_in) @ block.mlp.w_out + block.mlp.b_out

    def attention(
        self, block: Block, x: Float[Tensor, "reader row position d_model"], some: slice | list[int] = slice(None)
    ) -> Float[Tensor, "head row position d_model"]:
        """The output of each head, or of some, on normalised reads: one per (head, q/k/v), or one for all."""
        w_qkv, b_qkv, w_o = (
            weight[some] for weight in (block.attention.w_qkv, block.attention.b_qkv, block.attention.w_o)
        )
        heads = len(w_qkv)
        length = x.shape[-2]
        split = x.reshape(heads, 3, *x.shape[1:]) if x.shape[0] == 3 * heads else x[None]
        qkv = torch.einsum("hcrpd,hcde->hcrpe", split.expand(heads, 3, *x.shape[1:]), w_qkv)
        q, k, v = (qkv + b_qkv[:, :, None, None]).unbind(1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.config.d_head) + self.mask[:length, :length]
        return (scores.softmax(-1) @ v) @ w_o[:, None]

    @override
    def stage_sum(
        self, stage: int, resid: Float[Tensor, "*row position d_model"]
    ) -> Float[Tensor, "*row position d_model"]:
        if self.graph.stages[stage].kind == "mlp":
            return self.write(stage, self.react(stage, self.project(stage, resid))).add_(resid)
        x = resid.movedim(-2, 0)
        return (x + self.write(stage, self.react(stage, self.project(stage, x)))).movedim(0, -2)

    @override
    def project(
        self, stage: int, resid: Float[Tensor, "position *row d_model"], ports: slice = slice(None)
    ) -> Float[Tensor, "position *row reader e"]:
        """As for every network; `ports` takes only some of q, k and v."""
        at = self.graph.stages[stage]
        block = self.block(at.block)
        self.count(stage, resid, resid.numel() / (resid.shape[-1] * self.config.n_positions))
        if at.kind == "mlp":
            return F.linear(block.norm_mlp(resid), block.mlp.w_in.T, block.mlp.b_in)[..., None, :]
        weight, bias = block.attention.w_qkv[:, ports], block.attention.b_qkv[:, ports].transpose(0, 1)
        wide = weight.permute(1, 0, 3, 2).reshape(-1, resid.shape[-1])
        projections: Tensor = F.linear(block.norm_attention(resid), wide, bias.flatten()).unflatten(-1, bias.shape)
        return projections

    @override
    def react(
        self, stage: int, projections: Float[Tensor, "position *row reader e"]
    ) -> Float[Tensor, "position *row node e"]:
        if self.graph.stages[stage].kind == "mlp":
            if projections.requires_grad:
                return projections.relu() if self.config.activation == "relu" else F.gelu(projections)
            hidden: Tensor = (
                projections.relu_() if self.config.activation == "relu" else torch.ops.aten.gelu_(projections)
            )
            return hidden
        q, k, v = projections.unbind(-3)
        return self.attend(q, k, v, range(q.shape[0]))

    def attend(
        self,
        q: Float[Tensor, "query *row head e"],
        k: Float[Tensor, "key *row head e"],
        v: Float[Tensor, "key *row head e"],
        queries: Sequence[int],
    ) -> Float[Tensor, "query *row head e"]:
        """Values mixed by attention, for queries at some positions and keys at positions 0, 1, ..."""
        rows = q.shape[1:-2]
        mask = None
        if self.config.causal and any(query < k.shape[0] - 1 for query in queries):
            mask = self.mask[list(queries), : k.shape[0]]
        q, k, v = (x.flatten(1, -3).permute(1, 2, 0, 3) for x in (q, k, v))
        mixed: Tensor = F.scaled_dot_product_attention(q, k, v, mask).permute(2, 0, 1, 3).unflatten(1, rows)
        return mixed

    @override
    def write(self, stage: int, inner: Float[Tensor, "position *row node e"]) -> Float[Tensor, "position *row d_model"]:
        at = self.graph.stages[stage]
        block = self.block(at.block)
        if at.kind == "mlp":
            return F.linear(inner[..., 0, :], block.mlp.w_out.T, block.mlp.b_out)
        return F.linear(inner.flatten(-2), block.attention.w_o.flatten(0, 1).T, block.attention.b_o)

    @override
    def output_weights(self, stage: int) -> Float[Tensor, "node e d_model"]:
        at = self.graph.stages[stage]
        block = self.block(at.block)
        return block.mlp.w_out[None] if at.kind == "mlp" else block.attention.w_o

    @override
    def pull_back(
        self, stage: int, gradients: Float[Tensor, "position *row reader e"]
    ) -> Float[Tensor, "reader position *row d_model"]:
        at = self.graph.stages[stage]
        block = self.block(at.block)
        if at.kind == "mlp":
            return (gradients[..., 0, :] @ (block.mlp.w_in.T * block.norm_mlp.scale()))[None]
        by_reader = gradients.movedim((-2, -3), (0, 1)).flatten(2, -2)  # [head, port, row, e]
        pulled = by_reader @ (block.attention.w_qkv * block.norm_attention.scale()[..., None]).transpose(-1, -2)
        return pulled.view(-1, *gradients.shape[:-3], pulled.shape[-1])

    @override
    def norm_tangent(
        self,
        stage: int,
        resid: Float[Tensor, "position batch d_model"],
        vectors: Float[Tensor, "vector position batch d_model"],
    ) -> Float[Tensor, "vector position batch d_model"]:
        if stage == len(self.graph.stages):
            return vectors  # the gradient at the output's read is taken before its norm
        at = self.graph.stages[stage]
        block = self.block(at.block)
        norm: Norm = block.norm_mlp if at.kind == "mlp" else block.norm_attention
        return norm.tangent(resid, vectors)

    @override
    def output_norm(self, read: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        normed: Tensor = self.norm_output(read)
        return normed

    @override
    def stage_cost(self, stage: int) -> float:
        config = self.config
        if self.graph.stages[stage].kind == "mlp":
            return 2.0 * config.n_positions * config.d_model * config.d_mlp
        projections = 4.0 * config.n_heads * config.n_positions * config.d_model * config.d_head
        return projections + 2.0 * config.n_heads * config.n_positions**2 * config.d_head
