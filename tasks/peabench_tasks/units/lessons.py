"""Each variable learnt on its own: one unit, from the codes of its parents to the code of its value.

A lesson knows no network: what it reads and writes are coordinates of subspaces, so that a unit can be put anywhere in
any basis (`peabench_tasks.units.assembly`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import evaluate
from peabench.mechanism.kinds import bounds, dtype
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.plan import Plan

CANDIDATES = 4
"""Random starts that are trained side by side."""
STEPS = 1000
ROWS = 96
LEARNING_RATE = 3e-2
NOISE = 0.1
"""Standard deviation of what is added to each coordinate that is read: a unit shall not mind what others do."""
LEARNT = 0.3
"""Largest distance from a code, whose corners are 1.4 apart or more, at which a variable is learnt."""
ROUNDS = 4
"""How often training begins anew, each time for longer."""


class NotLearnt(Exception):
    """No start came near enough to a variable's code."""


@dataclass(frozen=True)
class Lesson:
    """Weights of a unit that computes a variable."""

    w_in: Float[Tensor, "inputs hidden"]
    b_in: Float[Tensor, " hidden"]
    w_out: Float[Tensor, "hidden k"]
    distance: float
    """Largest distance of what is written from the code, over all values of the parents."""


def learn(plan: Plan, name: str, generator: torch.Generator, steps: int = STEPS) -> Lesson:
    """Train starts of one unit until one has learnt the variable.

    Raises:
        NotLearnt: none has.
    """
    read, wanted = examples(plan, name)
    lesson = learn_examples(read, wanted, plan.config.d_hidden, generator, steps=steps)
    if lesson.distance < LEARNT:
        return lesson
    raise NotLearnt(f"{name} of {plan.model.inner} was not learnt: {lesson.distance:.2f} off its code")


def learn_examples(
    read: Float[Tensor, "row inputs"],
    wanted: Float[Tensor, "row k"],
    width: int,
    generator: torch.Generator,
    noise: float | Float[Tensor, " inputs"] = NOISE,
    steps: int = STEPS,
) -> Lesson:
    """Train starts of one unit on examples, each time for longer until one has learnt them; the last round's best.

    Args:
        read: what the unit reads.
        wanted: what it should write.
        width: its hidden neurons.
        generator: of starts and examples.
        noise: standard deviation of what is added to what is read.
        steps: of the first round.
    """
    lesson = _learn(read, wanted, width, steps, generator, noise)
    for longer in range(2, ROUNDS + 1):
        if lesson.distance < LEARNT:
            break
        lesson = _learn(read, wanted, width, longer * steps, generator, noise)
    return lesson


def examples(plan: Plan, name: str) -> tuple[Float[Tensor, "row inputs"], Float[Tensor, "row k"]]:
    """What the unit reads, every combination of its parents' values, and what it should write."""
    function, kinds = plan.function(name), plan.kinds
    parents = next(variable.parents for variable in plan.computed if variable.name == name)
    rows = ProductDomain(sizes=tuple(values_of(kinds[parent]) for parent in parents)).all()
    lowest = {parent: (bounds(kinds[parent]) or (0, 0))[0] for parent in (*parents, name)}
    given = {parent: (rows[:, i] + lowest[parent]).to(dtype(kinds[parent])) for i, parent in enumerate(parents)}
    value = evaluate(function, given, kinds).long() - lowest[name]
    read = torch.cat([plan.code(parent)[rows[:, i]] for i, parent in enumerate(parents)], 1)
    return read, plan.code(name)[value]


def slots(plan: Plan, name: str) -> dict[str, slice]:
    """Which of a unit's coordinates are which parent's."""
    found, at = dict[str, slice](), 0
    for parent in next(variable.parents for variable in plan.computed if variable.name == name):
        size = plan.code(parent).shape[1]
        found[parent] = slice(at, at + size)
        at += size
    return found


def _learn(
    read: Float[Tensor, "row inputs"],
    wanted: Float[Tensor, "row k"],
    width: int,
    steps: int,
    generator: torch.Generator,
    noise: float | Float[Tensor, " inputs"],
) -> Lesson:
    def normal(*shape: int) -> Tensor:
        return torch.randn(CANDIDATES, *shape, generator=generator)

    w_in = (normal(read.shape[1], width) / read.shape[1] ** 0.5).requires_grad_()
    b_in = normal(1, width).requires_grad_()
    w_out = (normal(width, wanted.shape[1]) / width**0.5).requires_grad_()
    optimiser = torch.optim.Adam([w_in, b_in, w_out], lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        drawn = torch.randint(0, len(read), (ROWS,), generator=generator)
        noisy = read[drawn] + noise * normal(ROWS, read.shape[1])
        wrong = (noisy @ w_in + b_in).relu() @ w_out - wanted[drawn]
        optimiser.zero_grad()
        wrong.square().mean((1, 2)).sum().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        distance = ((read @ w_in + b_in).relu() @ w_out - wanted).norm(dim=-1).amax(1)
    best = int(distance.argmin())
    return Lesson(w_in[best].detach(), b_in[best, 0].detach(), w_out[best].detach(), float(distance[best]))
