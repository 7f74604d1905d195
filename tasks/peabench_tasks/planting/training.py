"""The recipe's runs: learn the steps, put networks together, plant, mend on the hardest rows."""

import logging
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from peabench.networks import Transformer
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.assembly import assemble, cut, draw_shadows, room_for_shadows
from peabench_tasks.planting.layout import lay_out
from peabench_tasks.planting.lessons import LEARNT, NotLearnt, learn
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.planter import Batch, Planter, step_loss
from peabench_tasks.planting.subspaces import planted_size

ROWS = 32
LEARNING_RATE = 2e-4
STEADINESS = 1e-3
"""AdamW's epsilon: where nothing is wrong gradients are small, and noise in them should not move the weights."""
WARMING_STEPS = 30
RIGHT_FOR = 8
"""Steps in a row without a wrong row after which the learning rate falls."""
COOLING_STEPS = 60
MENDING_ROWS = 64
MENDING_STEPS = 120
HARDEST = 32
FREE_STEPS = 400
"""After which a freely trained twin is looked at every hundred steps; at most ten times as many."""
LARGEST_LISTED_DOMAIN = 1 << 17

log = logging.getLogger(__name__)


def begin(placements: list[Placement], seeds: list[int], start: int) -> Planter:
    """Networks put together from lessons, with what is demanded of them.

    Raises:
        NotLearnt: a step.
    """
    program, config = placements[0].program, placements[0].config
    generator = torch.Generator().manual_seed(seeds[0] + 100_000 * start)
    domain = program.domain
    rows = domain.all() if domain.size <= LARGEST_LISTED_DOMAIN else domain.sample(LARGEST_LISTED_DOMAIN, generator)
    output = program.model.run(program.model.read_inputs(rows))[program.model.output].long()
    lessons = {step.variable: learn(program, step, config, rows, generator) for step in program.steps}
    log.info("distances %s", {name: round(float(lesson.distance[0]), 4) for name, lesson in lessons.items()})
    for name, lesson in lessons.items():
        if lesson.distance[0] > LEARNT:
            distance = float(lesson.distance[0])
            raise NotLearnt(f"{name} of {program.name} was not learnt: {distance:.3f} from its code")
    networks, bases = [], []
    room = room_for_shadows(program, config)
    for number, (placement, seed) in enumerate(zip(placements, seeds, strict=True)):
        shadows = draw_shadows(placement, seed, room)
        stream = cut(placement, shadows, seed + 100_000 * start)
        candidate = {name: number % max(1, lesson.usable) for name, lesson in lessons.items()}
        networks.append(assemble(placement, lessons, stream, shadows, candidate, seed + 100_000 * start))
        bases.append(stream.basis[:, : planted_size(program)].clone())
    layout = lay_out(placements)
    stack = StackedTransformer.from_networks([layout.arranged(network, k) for k, network in enumerate(networks)])
    sites = [{step.variable: placement.sites(step.variable) for step in program.steps} for placement in placements]
    balance = (1 / output.bincount().float().clamp(min=1))[output]
    return Planter(program, stack, layout, torch.stack(bases), rows, balance, sites, generator)


def plant(planter: Planter, steps: int, factor: float = 1.0) -> None:
    """The recipe's main run, at a constant rate until nothing is wrong any more, at most for so many steps; then the
    rate falls to nothing. The rate is `LEARNING_RATE` times the factor.
    """
    rate = factor * LEARNING_RATE
    optimiser = _optimiser(planter, rate)
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
            group["lr"] = rate * min(warm, left / COOLING_STEPS)
        optimiser.zero_grad()
        (step_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        left -= 1


def mend(planter: Planter, rate: float) -> None:
    """A round of training on the hardest rows of larger pools."""
    optimiser = _optimiser(planter, rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=MENDING_STEPS)
    for _ in range(MENDING_STEPS):
        planter.split()
        batches, written = planter.losses(planter.pool(MENDING_ROWS), 0.3)
        optimiser.zero_grad()
        (step_loss(batches) + hardest_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()


def _optimiser(planter: Planter, rate: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(planter.stack.trainable(), lr=rate, eps=STEADINESS, weight_decay=0.0, fused=True)


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
    """Twins of the same shape trained on the same outputs and nothing else, until they are right on all rows.

    Raises:
        NotLearnt: some are not.
    """
    config, model = planter.stack.config, planter.program.model
    networks = [Transformer(config, torch.Generator().manual_seed(20_000 + s)) for s in seeds]
    stack = StackedTransformer.from_networks(networks)
    free = replace(planter, stack=stack)
    optimiser = torch.optim.AdamW(stack.trainable(), lr=3e-3, weight_decay=1e-3, fused=True)
    for step in range(10 * FREE_STEPS):
        tokens = free.pool(2 * MENDING_ROWS if step % 100 else 2048)
        target = model.run(model.read_inputs(tokens))[model.output].long() - free.lowest
        logits = free.run(tokens).logits
        if step % 100 == 0 and step >= FREE_STEPS and bool((logits.argmax(-1) == target).all()):
            found = [stack.network(i) for i in range(len(seeds))]
            if not any(wrong_rows(planter, network) for network in found):
                return found
        loss = cross_entropy(logits.flatten(0, 1), target.flatten()) * len(seeds)
        optimiser.zero_grad()
        loss.backward()
        stack.clip_gradients(1.0)
        optimiser.step()
    raise NotLearnt(f"{planter.program.name} was not learnt freely in {10 * FREE_STEPS} steps")


@torch.no_grad()
def wrong_rows(planter: Planter, network: Transformer) -> int:
    """How many of the planter's rows a network answers wrongly."""
    model = planter.program.model
    wrong = 0
    for rows in planter.rows.split(4096):
        target = model.run(model.read_inputs(rows))[model.output].long() - planter.lowest
        wrong += int((network(rows)[:, -1].argmax(-1) != target).sum())
    return wrong
