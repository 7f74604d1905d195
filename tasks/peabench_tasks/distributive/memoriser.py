"""Networks of a task's shape trained on its outputs alone."""

import torch
from torch.nn.functional import softplus

from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.formulas import Formula, all_inputs

STEPS = 400
LONGEST = 4000
LEARNING_RATE = 5e-3
MARGIN = 2.0
"""Logit by which every input is to be on its side."""


def memorise(formula: Formula, config: ResidualMLPConfig, seed: int) -> ResidualMLP:
    """A network that was shown every input with its output, and nothing of what could be in between.

    Raises:
        PeabenchError: it is not right on every input with a margin after the longest training.
    """
    stack = StackedResidualMLP.from_networks([ResidualMLP(config, generator_of(seed))])
    rows = all_inputs(config.n_inputs)
    signs = torch.from_numpy(rows).float()[None] * 2 - 1
    wanted = torch.from_numpy(formula.run(rows)[formula.gates[-1].name]).float() * 2 - 1
    optimiser = torch.optim.AdamW(stack.trainable(), lr=LEARNING_RATE, weight_decay=1e-3, fused=True)
    for step in range(LONGEST):
        resid = stack.embed(signs)
        for block in range(config.n_blocks):
            resid = resid + stack.block(block, resid)
        margin = stack.unembed(resid)[0, :, 0] * wanted
        if step >= STEPS and bool((margin > MARGIN).all()):
            return stack.network(0)
        optimiser.zero_grad()
        softplus(-margin).mean().backward()
        optimiser.step()
    raise PeabenchError(f"expected a margin of {MARGIN} on every input, got {float(margin.min()):.2f}; train again")
