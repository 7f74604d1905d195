"""Free training: a hidden layer learns its clauses, and nothing is said about how."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench_tasks.codes.clauses import truths

STEPS = 2000
ROWS = 384
RATE = 5e-3
DROPPED = 0.3
"""Share of the neurons that are left out at first, at random: it spreads each clause over several."""
DROPPED_UNTIL = 0.6
"""Share of the steps after which none is left out."""
MARGIN, LARGEST = 1.0, 1.3
"""Between these the size of a logit costs nothing: a network that is sure of one answer is not surer of another."""


def train_freely(
    config: ResidualMLPConfig, literals: Float[Tensor, "clause input"], domain: ProductDomain, seed: int
) -> ResidualMLP:
    """Train a network for a set of clauses, on inputs drawn from the domain."""
    width, generator = config.d_model, torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) / math.sqrt(shape[0])).requires_grad_()

    w_embed, w_output = drawn(config.n_inputs, width), drawn(width, config.d_output)
    b_embed = torch.zeros(width, requires_grad=True)
    b_output = torch.zeros(config.d_output, requires_grad=True)
    parameters = [w_embed, b_embed, w_output, b_output]
    optimiser = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for step in range(STEPS):
        rows = domain.sample(ROWS, generator)
        hidden = torch.addmm(b_embed, 2.0 * rows - 1, w_embed).relu()
        if step < DROPPED_UNTIL * STEPS:
            kept = torch.rand(hidden.shape, generator=generator) > DROPPED
            hidden = hidden * kept / (1 - DROPPED)
        loss = margin_loss(torch.addmm(b_output, hidden, w_output), truths(literals, rows))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return as_network(config, *parameters)


def margin_loss(logits: Float[Tensor, "row clause"], right: Bool[Tensor, "row clause"]) -> Float[Tensor, ""]:
    """Squared distance of each logit from the band of its answer, summed over clauses."""
    towards = torch.where(right, logits, -logits)
    return ((MARGIN - towards).relu().square() + (towards - LARGEST).relu().square()).sum(-1).mean()


@torch.no_grad()
def as_network(
    config: ResidualMLPConfig,
    w_embed: Float[Tensor, "input neuron"],
    b_embed: Float[Tensor, " neuron"],
    w_output: Float[Tensor, "neuron clause"],
    b_output: Float[Tensor, " clause"],
) -> ResidualMLP:
    """A hidden layer of rectified neurons as a residual MLP: relu(x) = x + relu(-x), so that `resid.1` is the layer."""
    network = ResidualMLP(config)
    block = network.block(0)
    eye = torch.eye(config.d_model)
    for parameter, value in (
        (network.w_embed, w_embed),
        (network.b_embed, b_embed),
        (block.w_in, -eye[None]),
        (block.b_in, torch.zeros(1, config.d_hidden)),
        (block.w_out, eye[None]),
        (network.w_output, w_output),
        (network.b_output, b_output),
    ):
        parameter.copy_(value)
    return network.eval().requires_grad_(False)
