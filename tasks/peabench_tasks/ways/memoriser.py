"""Networks of a task's shape trained on its outputs alone."""

import numpy as np
import torch
from torch.nn.functional import normalize

from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.formulas import Formula, all_inputs
from peabench_tasks.ways.two_logits import MARGIN

HIDDEN_LAYER = ("block0.w_in", "block0.b_in", "block0.w_out", "b_output")
LONGEST = 6000
LEARNING_RATE = 5e-3
LOGIT = 4.0
"""What every input is to be given in training, or its negative."""
CLOSE = 0.1
"""How near to it every logit is to be."""
EXACT = 1e-3
"""How near every logit is to `MARGIN` in the end."""


def memorise(formula: Formula, config: ResidualMLPConfig, seed: int) -> ResidualMLP:
    """A network that looks its outputs up: one hidden layer gives every input one of two logits.

    Logits that grow with the evidence would be sums over variables, and a sum can be taken apart. The hidden layer does
    not see inputs that do not matter. Embeddings and later blocks are as they were drawn, but for writing nothing along
    the output's direction: behind the hidden layer nothing but the output is read, whatever can still be decoded.

    Raises:
        PeabenchError: some logit is not near enough after the longest training.
    """
    stack = StackedResidualMLP.from_networks([ResidualMLP(config, generator_of(seed))])
    letters = [formula.inputs.index(name) for name in formula.used_inputs]
    others = [column for column in range(config.n_inputs) if column not in letters]
    with torch.no_grad():
        read = normalize(stack.parameters["w_output"][0], dim=0)
        for name in ("w_embed", *(f"block{block}.w_out" for block in range(1, config.n_blocks))):
            written = stack.parameters[name]
            written.sub_(written @ read @ read.T)
        unseen = torch.linalg.qr(stack.parameters["w_embed"][0, others].T)[0]
    shown = np.zeros((2 ** len(letters), config.n_inputs), dtype=bool)
    shown[:, letters] = all_inputs(len(letters))
    wanted = torch.from_numpy(formula.run(shown)[formula.gates[-1].name]).float() * 2 - 1
    signs = torch.zeros(1, *shown.shape)
    signs[..., letters] = torch.from_numpy(shown[:, letters]).float() * 2 - 1
    layer = [stack.parameters[name] for name in HIDDEN_LAYER]
    optimiser = torch.optim.Adam(layer, lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, LONGEST)
    for _ in range(LONGEST):
        with torch.no_grad():
            seeing = stack.parameters["block0.w_in"]
            seeing.sub_(unseen @ (unseen.T @ seeing))
        resid = stack.embed(signs)
        wrong = stack.unembed(resid + stack.block(0, resid))[0, :, 0] - LOGIT * wanted
        if bool((wrong.abs() < CLOSE).all()):
            return with_exact_logits(stack.network(0), formula)
        optimiser.zero_grad()
        wrong.square().mean().backward()
        optimiser.step()
        schedule.step()
    most = float(wrong.detach().abs().max())
    raise PeabenchError(f"expected logits within {CLOSE} of {LOGIT}, got one {most:.2f} off; take another seed")


@torch.no_grad()
def with_exact_logits(network: ResidualMLP, formula: Formula) -> ResidualMLP:
    """The logits made `MARGIN` or its negative by the least change of what the first block writes to them.

    Args:
        network: changed in place; all its logits are near.
        formula: tells which are positive.

    Raises:
        PeabenchError: no change makes them so.
    """
    rows = ProductDomain(sizes=(2,) * network.config.n_inputs).all()
    outputs = torch.from_numpy(formula.run(rows.bool().numpy())[formula.gates[-1].name])
    wanted = MARGIN * (2 * outputs.double() - 1)
    network.w_output.mul_(MARGIN / LOGIT)
    network.b_output.mul_(MARGIN / LOGIT)
    hidden = network.react(0, network.project(0, run_with_cache(network, rows).stage_inputs[0, :, 0])).flatten(1)
    wrong = wanted - network(rows)[:, 0, 0].double()
    change = torch.linalg.lstsq(hidden.double(), wrong[:, None], rcond=1e-6, driver="gelsd").solution
    along = network.w_output.T / network.w_output.square().sum()
    network.block(0).w_out.add_((change.float() @ along).view_as(network.block(0).w_out))
    most = float((network(rows)[:, 0, 0] - wanted).abs().max())
    if most > EXACT:
        raise PeabenchError(f"expected logits within {EXACT} of {MARGIN}, got one {most:.4f} off; take another seed")
    return network
