"""Free training of autoencoders of one size: which inputs were true, told from fewer dimensions than inputs."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench_tasks.superposition.specifications import VARIANTS, Specification

STEPS = 3000
ROWS = 512
RATE = 1e-2


def train_freely(group: Sequence[Specification], seed: int) -> list[ResidualMLP]:
    """Train one network for each specification, all of one size: logits x W V + b, with V the transpose of W if tied.

    Inputs are drawn as each domain draws them; the loss is each input's cross-entropy, times its importance.
    """
    config = group[0].network
    generator = torch.Generator().manual_seed(seed)
    shape = (len(group), config.n_inputs, config.d_model)
    w_embed, w_free = (
        (torch.randn(shape, generator=generator) / math.sqrt(config.d_model)).requires_grad_() for _ in range(2)
    )
    b_output = torch.zeros(len(group), 1, config.n_inputs, requires_grad=True)
    tied = torch.tensor([VARIANTS[s.variant].tied for s in group])[:, None, None]
    frequency = torch.tensor([s.frequencies for s in group])[:, None]
    importance = torch.tensor([s.importance for s in group])[:, None]
    optimiser = torch.optim.Adam([w_embed, w_free, b_output], lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        rows = (torch.rand(len(group), ROWS, config.n_inputs, generator=generator) < frequency).float()
        w_output = torch.where(tied, w_embed, w_free).transpose(1, 2)
        logits = torch.baddbmm(b_output, torch.bmm(rows, w_embed), w_output)
        each = binary_cross_entropy_with_logits(logits, rows, reduction="none")
        optimiser.zero_grad()
        (importance * each).sum(-1).mean(1).sum().backward()
        optimiser.step()
        schedule.step()
    w_output = torch.where(tied, w_embed, w_free)
    return [as_network(config, w_embed[i], w_output[i], b_output[i, 0]) for i in range(len(group))]


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
