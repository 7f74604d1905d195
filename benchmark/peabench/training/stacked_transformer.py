"""Many transformers of one shape trained as one: every parameter has a leading network axis."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks import Transformer, TransformerConfig


@dataclass
class StackedTransformer:
    """Parameters of `networks` transformers of one config without norms, stacked along axis 0."""

    config: TransformerConfig
    parameters: dict[str, Float[Tensor, "network ..."]]

    @classmethod
    def from_networks(cls, networks: list[Transformer]) -> "StackedTransformer":
        """Stack copies of the networks' weights.

        Raises:
            PeabenchError: the networks have norms.
        """
        config = networks[0].config
        if config.norm != "none":
            raise PeabenchError(f"expected transformers without norms, got norm {config.norm!r}; train them singly")
        states = [dict(network.named_parameters()) for network in networks]
        stacked = {name: torch.stack([s[name].detach() for s in states]).requires_grad_() for name in states[0]}
        return cls(config, stacked)

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

    def logits(
        self,
        inputs: Int[Tensor, "network row position"],
        *,
        everywhere: bool = False,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "network row query output"]:
        """Logits at every position, or at the last one alone.

        Args:
            inputs: rows for each network.
            everywhere: at every position.
            noise: standard deviation of what is added to every attention's reads.
            generator: where the noise comes from.
        """
        config, weights = self.config, self.parameters
        count, rows, length = inputs.shape
        table = weights["w_embed"].flatten(0, 1)
        offsets = config.d_vocabulary * torch.arange(count)[:, None, None]
        x = F.embedding(inputs + offsets, table) + weights["w_position"][:, None, :length]
        for block in range(config.n_blocks):
            last = block == config.n_blocks - 1 and not everywhere
            x = self._attention(block, x, last=last, noise=noise, generator=generator)
            if config.d_mlp:
                x = x + self._mlp(block, x)
        logits = torch.baddbmm(weights["b_output"][:, None], x.flatten(1, 2), weights["w_output"])
        return logits.unflatten(1, x.shape[1:3])

    def _attention(
        self,
        block: int,
        x: Float[Tensor, "network row position d_model"],
        *,
        last: bool,
        noise: float,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "network row query d_model"]:
        """The residual stream after an attention layer, in the last block at the last position alone."""
        w_qkv, b_qkv, w_o, b_o = (
            self.parameters[f"block{block}.attention.{name}"] for name in ("w_qkv", "b_qkv", "w_o", "b_o")
        )
        count, rows, length, d_model = x.shape
        heads, d_head = w_qkv.shape[1], w_qkv.shape[-1]
        wide = w_qkv.permute(0, 3, 2, 1, 4).flatten(2)  # [network, d_model, (q/k/v, head, e)]
        bias = b_qkv.transpose(1, 2).flatten(1)[:, None]
        reads = x + noise * torch.randn(x.shape, generator=generator) if noise else x
        qkv = torch.baddbmm(bias, reads.flatten(1, 2), wide).view(count * rows, length, 3, heads, d_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if last:
            q, x = q[:, :, -1:], x[:, :, -1:]
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.config.causal and not last)
        out = mixed.transpose(1, 2).reshape(count, -1, heads * d_head)
        return x + torch.baddbmm(b_o[:, None], out, w_o.flatten(1, 2)).view(x.shape)

    def _mlp(
        self, block: int, x: Float[Tensor, "network row position d_model"]
    ) -> Float[Tensor, "network row position d_model"]:
        w_in, b_in, w_out, b_out = (
            self.parameters[f"block{block}.mlp.{name}"] for name in ("w_in", "b_in", "w_out", "b_out")
        )
        hidden = torch.baddbmm(b_in[:, None], x.flatten(1, 2), w_in)
        hidden = hidden.relu() if self.config.activation == "relu" else F.gelu(hidden)
        return torch.baddbmm(b_out[:, None], hidden, w_out).view(x.shape)

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
