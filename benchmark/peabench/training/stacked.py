"""Many residual MLPs of one shape trained as one: every parameter has a leading network axis.

The layout is chosen for speed: rows stay contiguous, shared reads are one wide matrix product per block, and rows with
patched edges go through a batched product in which each reader has a read of its own.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP, ResidualMLPConfig


@dataclass
class StackedResidualMLP:
    """Parameters of `networks` residual MLPs of one config, stacked along axis 0."""

    config: ResidualMLPConfig
    parameters: dict[str, Float[Tensor, "network ..."]]

    @classmethod
    def from_networks(cls, networks: list[ResidualMLP]) -> "StackedResidualMLP":
        """Stack copies of the networks' weights.

        Raises:
            PeabenchError: they are bilinear.
        """
        if networks[0].config.activation != "relu":
            activation = networks[0].config.activation
            raise PeabenchError(
                f"expected residual MLPs of relu units, got {activation} ones; train those on their own"
            )
        states = [dict(network.named_parameters()) for network in networks]
        stacked = {name: torch.stack([s[name].detach() for s in states]).requires_grad_() for name in states[0]}
        return cls(networks[0].config, stacked)

    def subset(self, index: list[int]) -> "StackedResidualMLP":
        """A stack of copies of some of the networks."""
        return StackedResidualMLP(
            self.config, {k: v.detach()[index].clone().requires_grad_() for k, v in self.parameters.items()}
        )

    def network(self, index: int) -> ResidualMLP:
        """One of the networks, as an ordinary module with weights of its own."""
        network = ResidualMLP(self.config)
        network.load_state_dict({name: value[index].detach().clone() for name, value in self.parameters.items()})
        return network

    def embed(self, signs: Float[Tensor, "network row input"]) -> Float[Tensor, "network row d_model"]:
        """`resid.0` from inputs coded as -1 and +1."""
        return torch.baddbmm(self.parameters["b_embed"][:, None], signs, self.parameters["w_embed"])

    def block(self, index: int, resid: Float[Tensor, "network row d_model"]) -> Float[Tensor, "network row d_model"]:
        """What a whole block adds when all of its units read the same: one wide MLP."""
        w_in, b_in, w_out = (self.parameters[f"block{index}.{name}"] for name in ("w_in", "b_in", "w_out"))
        wide_in = w_in.transpose(1, 2).reshape(w_in.shape[0], w_in.shape[2], -1)
        hidden = torch.baddbmm(b_in.reshape(b_in.shape[0], 1, -1), resid, wide_in).relu()
        return torch.bmm(hidden, w_out.reshape(w_out.shape[0], -1, w_out.shape[-1]))

    def units(
        self, index: int, reads: Float[Tensor, "network unit row d_model"]
    ) -> Float[Tensor, "network unit row d_model"]:
        """The units' outputs; the network axis of the reads may hold each network several times in a row."""
        w_in, b_in, w_out = (self.parameters[f"block{index}.{name}"] for name in ("w_in", "b_in", "w_out"))
        n_units, d_model = w_in.shape[1:3]
        repeat = reads.shape[0] // w_in.shape[0]

        def spread(weight: Tensor) -> Tensor:
            return weight[:, None].expand(-1, repeat, *weight.shape[1:]).reshape(-1, *weight.shape[2:])

        flat = reads.reshape(-1, reads.shape[2], d_model)
        hidden = torch.baddbmm(spread(b_in)[:, None], flat, spread(w_in)).relu()
        return torch.bmm(hidden, spread(w_out)).reshape(reads.shape[0], n_units, -1, d_model)

    def unembed(self, resid: Float[Tensor, "network row d_model"]) -> Float[Tensor, "network row output"]:
        """Logits; the network axis may hold each network several times in a row."""
        repeat = resid.shape[0] // self.parameters["w_output"].shape[0]
        weight = self.parameters["w_output"].repeat_interleave(repeat, 0)
        return torch.baddbmm(self.parameters["b_output"].repeat_interleave(repeat, 0)[:, None], resid, weight)

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


def orthonormal(shape: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "d_model k"]:
    """Random orthonormal columns."""
    basis: Tensor = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64)).Q
    return basis.float()
