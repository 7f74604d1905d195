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

    Inputs are drawn as the domain draws them. The loss is each input's cross-entropy, or, of graded inputs, the squared
    error of the rectified output, times its importance.
    """
    config, generator = specification.network, torch.Generator().manual_seed(seed)
    shape, magnitudes = (config.n_inputs, config.d_model), specification.magnitudes
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
        if magnitudes > 1:
            rows = rows * torch.randint(1, magnitudes + 1, rows.shape, generator=generator) / magnitudes
        logits = torch.addmm(b_output, rows @ w_embed, w_output.T)
        if magnitudes > 1:
            each = (logits.relu() - rows).square()
        else:
            each = binary_cross_entropy_with_logits(logits, rows, reduction="none")
        optimiser.zero_grad()
        (importance * each).sum(1).mean().backward()
        optimiser.step()
        schedule.step()
    finish = as_network if magnitudes == 1 else as_graded_network
    return finish(config, w_embed, w_output, b_output)


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
    return _residual_mlp(config, w_embed / 2, w_embed.sum(0) / 2, w_output, b_output)


@torch.no_grad()
def as_graded_network(
    config: ResidualMLPConfig,
    w_embed: Float[Tensor, "input d_model"],
    w_output: Float[Tensor, "input d_model"],
    b_output: Float[Tensor, " input"],
) -> ResidualMLP:
    """The same of graded inputs: a row of the table for each value, and an output for each value above 0.

    An output is positive where what the toy model reconstructs lies above the middle between a value and the next.
    """
    magnitudes = config.d_output // config.n_inputs
    values = torch.arange(magnitudes + 1) / magnitudes
    middles = (values[1:] + values[:-1]) / 2
    return _residual_mlp(
        config,
        (values[:, None] * w_embed[:, None]).flatten(0, 1),
        torch.zeros(config.d_model),
        w_output.repeat_interleave(magnitudes, 0),
        (b_output[:, None] - middles).flatten(),
    )


def _residual_mlp(
    config: ResidualMLPConfig,
    w_embed: Float[Tensor, "row d_model"],
    b_embed: Float[Tensor, " d_model"],
    w_output: Float[Tensor, "output d_model"],
    b_output: Float[Tensor, " output"],
) -> ResidualMLP:
    """A network of these weights whose block writes nothing."""
    network = ResidualMLP(config)
    for parameter in network.parameters():
        parameter.zero_()
    network.w_embed.copy_(w_embed)
    network.b_embed.copy_(b_embed)
    network.w_output.copy_(w_output.T)
    network.b_output.copy_(b_output)
    return network.eval().requires_grad_(False)
