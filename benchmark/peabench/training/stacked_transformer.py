"""Many transformers of one shape trained as one: every parameter has a leading network axis.

Reads may differ between groups of rows, so the leading axis of activations holds each network several times in a row.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import gelu, one_hot

from peabench.networks import Transformer, TransformerConfig


@dataclass
class StackedTransformer:
    """Parameters of `networks` transformers of one config without norms, stacked along axis 0."""

    config: TransformerConfig
    parameters: dict[str, Float[Tensor, "network ..."]]

    @classmethod
    def from_networks(cls, networks: list[Transformer]) -> "StackedTransformer":
        """Stack copies of the networks' weights."""
        states = [dict(network.named_parameters()) for network in networks]
        stacked = {name: torch.stack([s[name].detach() for s in states]).requires_grad_() for name in states[0]}
        return cls(networks[0].config, stacked)

    def subset(self, index: list[int]) -> "StackedTransformer":
        """A stack of copies of some of the networks."""
        return StackedTransformer(
            self.config, {k: v.detach()[index].clone().requires_grad_() for k, v in self.parameters.items()}
        )

    def network(self, index: int) -> Transformer:
        """One of the networks, as an ordinary module with weights of its own."""
        network = Transformer(self.config)
        network.load_state_dict({name: value[index].detach().clone() for name, value in self.parameters.items()})
        return network

    def embed(self, tokens: Int[Tensor, "network row position"]) -> Float[Tensor, "network row position d_model"]:
        """`resid.0`."""
        hot = one_hot(tokens, self.config.d_vocabulary).to(self.parameters["w_embed"].dtype)
        embedded = torch.bmm(hot.flatten(1, 2), self.parameters["w_embed"]).view(*tokens.shape, -1)
        return embedded + self.parameters["w_position"][:, None]

    def project(
        self, block: int, heads: slice, reads: Float[Tensor, "stack head_port row d_model"]
    ) -> Float[Tensor, "stack head 3 row e"]:
        """q, k and v of some heads, each from a read of its own."""
        weight, bias = (self.weight(f"block{block}.attention.{n}", len(reads))[:, heads] for n in ("w_qkv", "b_qkv"))
        flat = torch.baddbmm(
            bias.reshape(-1, 1, bias.shape[-1]),
            reads.reshape(-1, *reads.shape[2:]),
            weight.reshape(-1, *weight.shape[-2:]),
        )
        return flat.view(len(reads), -1, 3, *flat.shape[1:])

    def project_together(
        self, block: int, heads: slice, resid: Float[Tensor, "stack row d_model"]
    ) -> Float[Tensor, "stack head 3 row e"]:
        """The same where all read the same: one wide product."""
        weight, bias = (self.weight(f"block{block}.attention.{n}", len(resid))[:, heads] for n in ("w_qkv", "b_qkv"))
        wide = weight.permute(0, 3, 1, 2, 4).flatten(2)
        flat: Tensor = torch.baddbmm(bias.flatten(1)[:, None], resid, wide).unflatten(-1, bias.shape[1:])
        return flat.permute(0, 2, 3, 1, 4)

    def attend(
        self,
        q: Float[Tensor, "stack head row query e"],
        k: Float[Tensor, "stack head row key e"],
        v: Float[Tensor, "stack head row key e"],
    ) -> Float[Tensor, "stack head row query e"]:
        """Values mixed by attention; the queries are at the last positions."""
        scores = q @ k.transpose(-1, -2) * (1 / math.sqrt(q.shape[-1]))
        if self.config.causal and q.shape[-2] > 1:
            length = k.shape[-2]
            hidden = torch.ones(length, length, dtype=torch.bool).triu(1)[length - q.shape[-2] :]
            scores = scores.masked_fill(hidden, -torch.inf)
        return scores.softmax(-1) @ v

    def mlp(self, block: int, resid: Float[Tensor, "stack row d_model"]) -> Float[Tensor, "stack row d_model"]:
        """The MLP's output, its output bias left in."""
        w_in, b_in, w_out, b_out = (
            self.weight(f"block{block}.mlp.{name}", len(resid)) for name in ("w_in", "b_in", "w_out", "b_out")
        )
        hidden = torch.baddbmm(b_in[:, None], resid, w_in)
        hidden = hidden.relu() if self.config.activation == "relu" else gelu(hidden)
        return torch.baddbmm(b_out[:, None], hidden, w_out)

    def unembed(self, resid: Float[Tensor, "stack row d_model"]) -> Float[Tensor, "stack row output"]:
        """Logits."""
        return torch.baddbmm(self.weight("b_output", len(resid))[:, None], resid, self.weight("w_output", len(resid)))

    def logits(
        self,
        tokens: Int[Tensor, "network row position"],
        *,
        everywhere: bool = False,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "network row query output"]:
        """Logits at every position, or at the last one alone.

        Args:
            tokens: rows for each network.
            everywhere: at every position.
            noise: standard deviation of what is added to every attention's reads.
            generator: where the noise comes from.
        """
        resid = self.embed(tokens)
        for block in range(self.config.n_blocks):
            reads = resid + noise * torch.randn(resid.shape, generator=generator) if noise else resid
            resid = self.block(block, resid, reads, last=block == self.config.n_blocks - 1 and not everywhere)
        logits: Tensor = self.unembed(resid.flatten(1, 2)).unflatten(1, resid.shape[1:3])
        return logits

    def block(
        self,
        block: int,
        resid: Float[Tensor, "network row position d_model"],
        reads: Float[Tensor, "network row position d_model"],
        *,
        last: bool = False,
    ) -> Float[Tensor, "network row query d_model"]:
        """The residual stream after a block, at every position or at the last one alone.

        Args:
            block: its number.
            resid: the residual stream before it.
            reads: what its attention reads of that.
            last: at the last position alone.
        """
        qkv = self.project_together(block, slice(None), reads.flatten(1, 2)).unflatten(3, reads.shape[1:3])
        q, k, v = qkv.unbind(2)
        if last:
            q, resid = q[..., -1:, :], resid[:, :, -1:]
        mixed = self.attend(q, k, v).movedim(1, 3).flatten(3)  # [network, row, query, (head, e)]
        w_o, b_o = (self.weight(f"block{block}.attention.{name}", len(resid)) for name in ("w_o", "b_o"))
        resid = resid + torch.baddbmm(b_o[:, None], mixed.flatten(1, 2), w_o.flatten(1, 2)).view(resid.shape)
        if self.config.d_mlp:
            resid = resid + self.mlp(block, resid.flatten(1, 2)).view(resid.shape)
        return resid

    def weight(self, name: str, stack: int) -> Float[Tensor, "stack ..."]:
        """A parameter, each network's repeated in a row to the length of a leading axis."""
        weight = self.parameters[name]
        repeat = stack // weight.shape[0]
        if repeat == 1:
            return weight
        return weight[:, None].expand(-1, repeat, *weight.shape[1:]).reshape(stack, *weight.shape[1:])

    def trainable(self) -> list[Tensor]:
        """The parameter tensors, for an optimiser."""
        return list(self.parameters.values())

    def clip_gradients(self, max_norm: float) -> None:
        """Scale each network's gradient to at most `max_norm`, one network not knowing of the others."""
        gradients = [p.grad for p in self.trainable() if p.grad is not None]
        square = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
        scale = (max_norm / (square.sqrt() + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))
