"""The recipe's runs: tutor candidates, plant the best of each task, mend on the hardest rows."""

import logging
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from peabench.networks import Transformer
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.confinement import Confinement, confine, initial_networks, planted_size, whole_bases
from peabench_tasks.planting.layout import lay_out
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.planter import Batch, Planter, step_loss

CANDIDATES = 4
"""Random starts of each network, of which the one that learns its steps best is planted."""
TUTORING_STEPS = 200
TUTORING_RATE = 4e-2
LEARNT = 0.02
"""Distance from the codes, all steps together, at which a candidate has learnt its steps."""
TUTORING_ROWS = 96
ROWS = 32
LEARNING_RATE = 5e-3
WARMING_STEPS = 30
RIGHT_FOR = 8
"""Steps in a row without a wrong row after which the learning rate falls."""
COOLING_STEPS = 120
MENDING_ROWS = 64
MENDING_STEPS = 120
HARDEST = 32
FREE_STEPS = 1000
LARGEST_LISTED_DOMAIN = 1 << 17

log = logging.getLogger(__name__)


def begin(placements: list[Placement], seeds: list[int], start: int) -> tuple[Planter, Confinement]:
    """Random networks, `CANDIDATES` for each placement in a row, and what is demanded of them."""
    program = placements[0].program
    spread = [placement for placement in placements for _ in range(CANDIDATES)]
    weights = [seed + 100_000 * (start * CANDIDATES + i) for seed in seeds for i in range(CANDIDATES)]
    layout = lay_out(spread)
    bases = whole_bases(spread, weights)
    generator = torch.Generator().manual_seed(weights[0])
    domain = program.domain
    rows = domain.all() if domain.size <= LARGEST_LISTED_DOMAIN else domain.sample(LARGEST_LISTED_DOMAIN, generator)
    output = program.model.run(program.model.read_inputs(rows))[program.model.output].long()
    stack = StackedTransformer.from_networks(initial_networks(spread, weights))
    sites = [{step.variable: placement.sites(step.variable) for step in program.steps} for placement in spread]
    balance = (1 / output.bincount().float().clamp(min=1))[output]
    confinement = confine(spread, layout, bases)
    confinement.apply(stack)
    planted = bases[:, :, : planted_size(program)].clone()
    return Planter(program, stack, layout, planted, rows, balance, sites, generator), confinement


def tutor(planter: Planter, confinement: Confinement) -> Planter:
    """Teach every node of the circuit on clean runs, and keep the best candidate of each placement."""
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=TUTORING_RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, TUTORING_RATE, total_steps=TUTORING_STEPS, pct_start=0.15)
    for _ in range(TUTORING_STEPS):
        planter.split()
        distance, task = planter.lesson(planter.pool(TUTORING_ROWS))
        best = distance.detach().view(-1, CANDIDATES).min(1)
        if bool((best.values < LEARNT).all()) and not bool(planter.errors([task])[0, chosen(best.indices)].any()):
            break
        optimiser.zero_grad()
        (distance.sum() + step_loss([task])).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()
        confinement.apply(planter.stack)
    log.info("distances of the best candidates %s", [round(d, 4) for d in best.values.tolist()])
    return planter.subset(chosen(best.indices).tolist())


def chosen(candidate: Int[Tensor, " placement"]) -> Int[Tensor, " placement"]:
    """Numbers, among all networks, of one candidate of each placement."""
    return candidate + CANDIDATES * torch.arange(len(candidate))


def plant(planter: Planter, steps: int) -> None:
    """The recipe's main run, at a constant rate until nothing is wrong any more, at most for so many steps; then the
    rate falls to nothing.
    """
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    left, right_for = steps, 0
    while left > 0:
        planter.split()
        batches, written = planter.losses(planter.pool(ROWS), 1.0)
        wrong = planter.errors(batches)
        right_for = 0 if bool(wrong.any()) else right_for + 1
        if right_for == RIGHT_FOR:
            left = min(left, COOLING_STEPS)
        if (steps - left) % 100 == 0:
            log.info("%d steps left: wrong rows %s", left, wrong.tolist())
        warm = min(1.0, (steps - left + 1) / WARMING_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(warm, left / COOLING_STEPS)
        optimiser.zero_grad()
        (step_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        left -= 1


def mend(planter: Planter, rate: float) -> None:
    """A round of training on the hardest rows of larger pools."""
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=MENDING_STEPS)
    for _ in range(MENDING_STEPS):
        planter.split()
        batches, written = planter.losses(planter.pool(MENDING_ROWS), 0.3)
        optimiser.zero_grad()
        (step_loss(batches) + hardest_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()


def hardest_loss(batches: list[Batch]) -> Tensor:
    """Mean cross-entropy, tempered, of each network's worst rows in each group."""
    total = torch.zeros(())
    for batch in batches:
        each = cross_entropy(0.3 * batch.logits.flatten(0, 1), batch.target.flatten(), reduction="none")
        total = total + each.view(batch.target.shape).topk(HARDEST, dim=1).values.mean(1).sum()
    return total


@torch.no_grad()
def sampled_errors(planter: Planter, pools: int = 20) -> Tensor:
    """Wrong rows of each network over fresh pools, all demands together."""
    found = []
    for _ in range(pools):
        planter.split()
        found.append(planter.errors(planter.losses(planter.pool(4 * MENDING_ROWS), 0.0)[0]).sum(0))
    return torch.stack(found).sum(0)


def train_freely(planter: Planter, seeds: list[int]) -> list[Transformer]:
    """Twins of the same shape trained on the same outputs and nothing else, until they are right on fresh pools."""
    config, model = planter.stack.config, planter.program.model
    networks = [Transformer(config, torch.Generator().manual_seed(20_000 + s)) for s in seeds]
    stack = StackedTransformer.from_networks(networks)
    free = replace(planter, stack=stack)
    optimiser = torch.optim.AdamW(stack.trainable(), lr=3e-3, weight_decay=1e-3, fused=True)
    for step in range(4 * FREE_STEPS):
        tokens = free.pool(2 * MENDING_ROWS if step % 100 else 2048)
        target = model.run(model.read_inputs(tokens))[model.output].long() - free.lowest
        logits = free.run(tokens).logits
        if step % 100 == 0 and step >= FREE_STEPS and bool((logits.argmax(-1) == target).all()):
            break
        loss = cross_entropy(logits.flatten(0, 1), target.flatten()) * len(seeds)
        optimiser.zero_grad()
        loss.backward()
        stack.clip_gradients(1.0)
        optimiser.step()
    return [stack.network(i) for i in range(len(seeds))]
