"""Free training of an autoencoder: which inputs were true, told from fewer dimensions than inputs."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench_tasks.superposition.specifications import VARIANTS, Specification

STEPS = 3000
ROWS = 512
RATE = 1e-2


def train_freely(specification: Specification, seed: int) -> ResidualMLP:
    """Train a network: logits x W V + b, with V the transpose of W if they are tied.

    Inputs are drawn as the domain draws them; the loss is each input's cross-entropy, times its importance.
    """
    config, generator = specification.network, torch.Generator().manual_seed(seed)
    shape = (config.n_inputs, config.d_model)
    w_embed, w_free = (
        (torch.randn(shape, generator=generator) / math.sqrt(config.d_model)).requires_grad_() for _ in range(2)
    )
    b_output = torch.zeros(config.n_inputs, requires_grad=True)
    w_output = w_embed if VARIANTS[specification.variant].tied else w_free
    frequency, importance = torch.tensor(specification.frequencies), torch.tensor(specification.importance)
    optimiser = torch.optim.Adam([w_embed, w_free, b_output], lr=RATE, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        rows = (torch.rand(ROWS, config.n_inputs, generator=generator) < frequency).float()
        logits = torch.addmm(b_output, rows @ w_embed, w_output.T)
        each = binary_cross_entropy_with_logits(logits, rows, reduction="none")
        optimiser.zero_grad()
        (importance * each).sum(1).mean().backward()
        optimiser.step()
        schedule.step()
    return as_network(config, w_embed, w_output, b_output)


@torch.no_grad()
def as_network(
    config: ResidualMLPConfig,
    w_embed: Float[Tensor, "input d_model"],
    w_output: Float[Tensor, "input d_model"],
    b_output: Float[Tensor, " input"],
) -> ResidualMLP:
    """The autoencoder as a residual MLP: inputs of -1 and +1 write half as much, and the block writes nothing.

    The rectifier of the toy model is left out: it does not change which outputs are positive.
    """
    network = ResidualMLP(config)
    for parameter in network.parameters():
        parameter.zero_()
    network.w_embed.copy_(w_embed / 2)
    network.b_embed.copy_(w_embed.sum(0) / 2)
    network.w_output.copy_(w_output.T)
    network.b_output.copy_(b_output)
    return network.eval().requires_grad_(False)
