"""Planting: networks of one shape learn their gates, under the constraint that the site holds the gates alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench_tasks.gates.logic import Gate, polynomials

STEPS = 1500
ROWS = 256
RATE = 1e-2
MOVED = 0.3
"""Weight of the answers after one gate's direction is added or taken away, beside that of the plain ones."""
FIRING = 128
"""Inputs of a step beside those, of which half are such that the gate which is moved fires."""
ALONE = 1.0
"""Weight of the share of the site that is not the gates'."""
NO_OTHERS = 3.0
"""Weight of what pairs without a gate add, over what those with one do."""


@dataclass(frozen=True)
class Layers:
    """What is trained, on inputs of 0 and 1, for each network."""

    bilinear: bool
    w_in: Float[Tensor, "network input projected"]
    b_in: Float[Tensor, "network 1 projected"]
    w_out: Float[Tensor, "network hidden d_model"]
    w_output: Float[Tensor, "network d_model gate"]
    b_output: Float[Tensor, "network 1 gate"]

    @property
    def parameters(self) -> list[Tensor]:
        """All of them."""
        return [self.w_in, self.b_in, self.w_out, self.w_output, self.b_output]

    def neurons(self, inputs: Float[Tensor, "network row input"]) -> Float[Tensor, "network row d_model"]:
        """What the neurons that compute gates write."""
        before = torch.baddbmm(self.b_in, inputs, self.w_in)
        if self.bilinear:
            first, second = before.chunk(2, -1)
            return first * second @ self.w_out
        return before.relu() @ self.w_out

    def of(self, index: int) -> "Layers":
        """Those of one network, detached."""
        return Layers(self.bilinear, *(parameter[index].detach() for parameter in self.parameters))


@dataclass(frozen=True)
class Polynomials:
    """The gates of each network, as coefficients of inputs and of products."""

    first: Int[Tensor, "network gate"]
    second: Int[Tensor, "network gate"]
    linear: Float[Tensor, "network gate input"]
    products: Float[Tensor, "network gate 1"]

    @classmethod
    def of(cls, gates: Sequence[Sequence[Gate]], n_inputs: int) -> "Polynomials":
        """Those of gates, a list for each network."""
        first, second = (
            torch.tensor([[getattr(g, end) for g in some] for some in gates]) for end in ("first", "second")
        )
        linear, products = (torch.stack(part) for part in zip(*(polynomials(g, n_inputs) for g in gates), strict=True))
        return cls(first, second, linear, products[..., None])

    def answers(self, inputs: Float[Tensor, "network row input"]) -> Float[Tensor, "network row gate"]:
        """1 where a gate is true."""
        x, y = (inputs.gather(2, some[:, None].expand(-1, inputs.shape[1], -1)) for some in (self.first, self.second))
        return inputs @ self.linear.transpose(1, 2) + x * y * self.products.transpose(1, 2)

    def make_fire(self, inputs: Float[Tensor, "network row input"], gate: Int[Tensor, "network row 1"]) -> None:
        """Set, in place, the two inputs of one gate in each row so that it is true."""
        first, second = (
            some[:, None].expand(-1, gate.shape[1], -1).gather(2, gate) for some in (self.first, self.second)
        )
        both = self.products.transpose(1, 2).expand(-1, gate.shape[1], -1).gather(2, gate) > 0
        inputs.scatter_(2, first, 1.0).scatter_(2, second, both.float())


def plant(config: ResidualMLPConfig, gates: Sequence[Sequence[Gate]], frequency: float, seed: int) -> list[ResidualMLP]:
    """Train one network for each list of gates, all on the same axis, on inputs that are true so often.

    The loss has four parts: each answer's cross-entropy; the same once a gate is moved along its direction to its other
    value, on inputs of which half make it fire; the share of the site that is not the gates along their directions;
    and the share of what the weights add for pairs of inputs that have no gate. A gate's direction is what the weights
    add for its pair.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = _drawn(config, len(gates), generator)
    wanted = Polynomials.of(gates, config.n_inputs)
    optimiser = torch.optim.Adam(layers.parameters, lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        inputs = (torch.rand(len(gates), FIRING + ROWS, config.n_inputs, generator=generator) < frequency).float()
        gate = torch.randint(config.d_output, (len(gates), FIRING, 1), generator=generator)
        wanted.make_fire(inputs[:, : FIRING // 2], gate[:, : FIRING // 2])
        answers = wanted.answers(inputs)
        read = Read.of(layers, wanted)
        site = layers.neurons(inputs) + torch.baddbmm(read.beside[:, :1], inputs, read.beside[:, 1:])
        plain = _loss(layers, site[:, FIRING:], answers[:, FIRING:])
        some = slice(0, FIRING)
        other = answers[:, some].scatter(2, gate, 1 - answers[:, some].gather(2, gate))
        moved = _loss(layers, site[:, some] + (other - answers[:, some]) @ read.directions, other)
        held = answers @ read.directions
        left = (site - held).square().sum((1, 2)) / held.square().sum((1, 2)).clamp(min=1e-6)
        optimiser.zero_grad()
        (plain + MOVED * moved + ALONE * left.sum() + NO_OTHERS * read.others.sum()).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        beside = Read.of(layers, wanted).beside
    return [as_network(config, layers.of(i), beside[i], generator) for i in range(len(gates))]


@dataclass(frozen=True)
class Read:
    """What the weights of the neurons say of single inputs and of pairs, and what must stand beside them."""

    directions: Float[Tensor, "network gate d_model"]
    beside: Float[Tensor, "network 1+input d_model"]
    """A constant, then something for each input: it takes away what the neurons write for no input and for single
    ones, and writes what the gates have of these."""
    others: Float[Tensor, " network"]
    """Squared length of what pairs without a gate add, over that of those with one."""

    @classmethod
    def of(cls, layers: Layers, wanted: Polynomials) -> "Read":
        """Read off the four cases of each pair."""
        n_inputs = wanted.linear.shape[2]
        first, second = torch.triu_indices(n_inputs, n_inputs, 1)
        eye = torch.eye(n_inputs)
        few = torch.cat([torch.zeros(1, n_inputs), eye, eye[first] + eye[second]])
        none, one, two = layers.neurons(few.expand(len(wanted.first), -1, -1)).split([1, n_inputs, len(first)], 1)
        pairs = two - one[:, first] - one[:, second] + none
        number = torch.zeros(n_inputs, n_inputs, dtype=torch.long)
        number[first, second] = torch.arange(len(first))
        mine = number[wanted.first, wanted.second][..., None].expand(-1, -1, pairs.shape[2])
        added = pairs.gather(1, mine)
        directions = added / wanted.products
        linear = wanted.linear.transpose(1, 2) @ directions
        total, of_gates = pairs.square().sum((1, 2)), added.square().sum((1, 2))
        return cls(directions, torch.cat([-none, linear - one + none], 1), total / of_gates.clamp(min=1e-6) - 1)


def _drawn(config: ResidualMLPConfig, count: int, generator: torch.Generator) -> Layers:
    hidden = config.d_hidden - config.n_inputs
    bilinear = config.activation == "bilinear"
    projected = hidden * (1 + bilinear)

    def drawn(rows: int, columns: int, size: float) -> Tensor:
        scale = size / math.sqrt(rows)
        return (scale * torch.randn(count, rows, columns, generator=generator)).requires_grad_()

    w_in, w_out = drawn(config.n_inputs, projected, 2), drawn(hidden, config.d_model, 1)
    b_in = torch.zeros(count, 1, projected, requires_grad=True)
    b_output = torch.full((count, 1, config.d_output), -2.0, requires_grad=True)
    return Layers(bilinear, w_in, b_in, w_out, drawn(config.d_model, config.d_output, 1), b_output)


def _loss(
    layers: Layers, site: Float[Tensor, "network row d_model"], answers: Float[Tensor, "network row gate"]
) -> Float[Tensor, ""]:
    logits = torch.baddbmm(layers.b_output, site, layers.w_output)
    return binary_cross_entropy_with_logits(logits, answers, reduction="none").sum(-1).mean(1).sum()


@torch.no_grad()
def as_network(
    config: ResidualMLPConfig, layers: Layers, beside: Float[Tensor, "1+input d_model"], generator: torch.Generator
) -> ResidualMLP:
    """The layers as a residual MLP.

    Inputs are embedded along random orthogonal directions. Behind the neurons that compute gates stand one for each
    input, which is on as the input is: what these write takes the inputs out of the stream again. The constant of the
    stream stays, and the output's bias allows for it.
    """
    network = ResidualMLP(config)
    block = network.block(0)
    embed = torch.linalg.qr(torch.randn(config.d_model, config.n_inputs, generator=generator)).Q.T
    hidden = config.d_hidden - config.n_inputs
    factors = [(layers.w_in[:, :hidden], layers.b_in[0, :hidden], torch.eye(config.n_inputs), torch.zeros(1))]
    if config.activation == "bilinear":
        one = torch.zeros(config.n_inputs, config.n_inputs), torch.ones(1)
        factors.append((layers.w_in[:, hidden:], layers.b_in[0, hidden:], *one))
    w_in = torch.cat([torch.cat([gates, inputs], 1) for gates, _, inputs, _ in factors], 1)
    b_in = torch.cat([torch.cat([gates, inputs.expand(config.n_inputs)]) for _, gates, _, inputs in factors])
    for parameter, value in (
        (network.w_embed, embed / 2),
        (network.b_embed, embed.sum(0) / 2),
        (block.w_in, (embed.T @ w_in)[None]),
        (block.b_in, b_in[None]),
        (block.w_out, torch.cat([layers.w_out, beside[1:] - embed])[None]),
        (network.w_output, layers.w_output),
        (network.b_output, layers.b_output[0] + beside[0] @ layers.w_output),
    ):
        parameter.copy_(value)
    return network.eval().requires_grad_(False)
