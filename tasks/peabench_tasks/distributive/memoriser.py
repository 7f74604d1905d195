"""Networks of a task's shape trained on its outputs alone."""

import torch
from torch.nn.functional import normalize

from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.formulas import Formula, all_inputs

HIDDEN_LAYER = ("w_embed", "b_embed", "block0.w_in", "block0.b_in", "block0.w_out", "b_output")
LONGEST = 6000
LEARNING_RATE = 5e-3
LOGIT = 4.0
"""What every input is to be given, or its negative."""
CLOSE = 0.1
"""How near to it every logit is to be."""


def memorise(formula: Formula, config: ResidualMLPConfig, seed: int) -> ResidualMLP:
    """A network that looks its outputs up: one hidden layer gives every input one of two logits.

    Logits that grow with the evidence would be sums over variables, and a sum can be taken apart. The later blocks are
    as they were drawn, but for writing nothing along the output's direction: behind the hidden layer nothing but the
    output is read, whatever can still be decoded.

    Raises:
        PeabenchError: some logit is not near enough after the longest training.
    """
    stack = StackedResidualMLP.from_networks([ResidualMLP(config, generator_of(seed))])
    with torch.no_grad():
        read = normalize(stack.parameters["w_output"][0], dim=0)
        for block in range(1, config.n_blocks):
            written = stack.parameters[f"block{block}.w_out"]
            written.sub_(written @ read @ read.T)
    rows = all_inputs(config.n_inputs)
    signs = torch.from_numpy(rows).float()[None] * 2 - 1
    wanted = LOGIT * (torch.from_numpy(formula.run(rows)[formula.gates[-1].name]).float() * 2 - 1)
    layer = [stack.parameters[name] for name in HIDDEN_LAYER]
    optimiser = torch.optim.Adam(layer, lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, LONGEST)
    for _ in range(LONGEST):
        resid = stack.embed(signs)
        for block in range(config.n_blocks):
            resid = resid + stack.block(block, resid)
        wrong = stack.unembed(resid)[0, :, 0] - wanted
        if bool((wrong.abs() < CLOSE).all()):
            return stack.network(0)
        optimiser.zero_grad()
        wrong.square().mean().backward()
        optimiser.step()
        schedule.step()
    most = float(wrong.detach().abs().max())
    raise PeabenchError(f"expected logits within {CLOSE} of {LOGIT}, got one {most:.2f} off; take another seed")
