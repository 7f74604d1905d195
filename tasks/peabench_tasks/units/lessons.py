"""Each variable learnt on its own: one unit, from the codes of its parents to the code of its value.

A lesson knows no network: what it reads and writes are coordinates of subspaces, so that a unit can be put anywhere in
any basis (`peabench_tasks.units.assembly`).

Half-way between two values of an input a unit is left to do what it likes, and what it likes tells which variables
there are. Where all inputs have three values or fewer, so that no two pairs of values have the same middle, every unit
learns to take it for the smaller value: all networks then do the same there too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import evaluate
from peabench.mechanism.kinds import bounds, dtype
from peabench_tasks.units.codes import code, dimension, values_of
from peabench_tasks.units.plan import Plan

CANDIDATES = 4
"""Random starts that are trained side by side."""
STEPS = 1000
ROWS = 96
LEARNING_RATE = 3e-2
NOISE = 0.1
"""Standard deviation of what is added to each coordinate that is read: a unit shall not mind what others do."""
LEARNT = 0.25
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
    beside = examples(plan, name, half_way=True) if has_distinct_middles(plan) else None
    lesson = None
    for longer in range(1, ROUNDS + 1):
        lesson = _learn(read, wanted, beside, plan.config.d_hidden, longer * steps, generator)
        if lesson.distance < LEARNT:
            return lesson
    raise NotLearnt(f"{name} of {plan.model.inner} was not learnt: {lesson.distance if lesson else 0:.2f} off its code")


def has_distinct_middles(plan: Plan) -> bool:
    """Whether no two pairs of an input's values have the same middle."""
    inputs = (variable for variable in plan.model.variables if variable.function is None)
    return all(values_of(variable.kind) <= 3 for variable in inputs)


def examples(
    plan: Plan, name: str, half_way: bool = False
) -> tuple[Float[Tensor, "row inputs"], Float[Tensor, "row k"]]:
    """What the unit reads, every combination of its parents' values, and what it should write.

    Args:
        plan: of the network.
        name: of the variable.
        half_way: the middle of two values of an input counts as one of its values, and means the smaller of the two.
    """
    function, kinds = plan.function(name), plan.kinds
    parents = next(variable.parents for variable in plan.computed if variable.name == name)
    lowest = {parent: (bounds(kinds[parent]) or (0, 0))[0] for parent in (*parents, name)}
    codes = [code(kinds[parent], plan.orders[parent]) for parent in parents]
    points = [
        with_middles(corners) if half_way and plan.is_input(parent) else (corners, torch.arange(len(corners)))
        for parent, corners in zip(parents, codes, strict=True)
    ]
    rows = ProductDomain(sizes=tuple(len(means) for _, means in points)).all()
    given = {
        parent: (means[rows[:, i]] + lowest[parent]).to(dtype(kinds[parent]))
        for i, (parent, (_, means)) in enumerate(zip(parents, points, strict=True))
    }
    value = evaluate(function, given, kinds).long() - lowest[name]
    read = torch.cat([where[rows[:, i]] for i, (where, _) in enumerate(points)], 1)
    return read, code(kinds[name], plan.orders[name])[value]


def with_middles(corners: Float[Tensor, "value k"]) -> tuple[Float[Tensor, "point k"], Int[Tensor, " point"]]:
    """The values' corners and the middles of all pairs of them, and which value each is taken for."""
    pairs = torch.combinations(torch.arange(len(corners)))
    return torch.cat([corners, corners[pairs].mean(1)]), torch.cat([torch.arange(len(corners)), pairs.amin(1)])


def slots(plan: Plan, name: str) -> dict[str, slice]:
    """Which of a unit's coordinates are which parent's."""
    found, at = dict[str, slice](), 0
    for parent in next(variable.parents for variable in plan.computed if variable.name == name):
        size = dimension(plan.kinds[parent])
        found[parent] = slice(at, at + size)
        at += size
    return found


def _learn(
    read: Float[Tensor, "row inputs"],
    wanted: Float[Tensor, "row k"],
    beside: tuple[Float[Tensor, "other inputs"], Float[Tensor, "other k"]] | None,
    width: int,
    steps: int,
    generator: torch.Generator,
) -> Lesson:
    def normal(*shape: int) -> Tensor:
        return torch.randn(CANDIDATES, *shape, generator=generator)

    w_in = (normal(read.shape[1], width) / read.shape[1] ** 0.5).requires_grad_()
    b_in = normal(1, width).requires_grad_()
    w_out = (normal(width, wanted.shape[1]) / width**0.5).requires_grad_()
    optimiser = torch.optim.Adam([w_in, b_in, w_out], lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        drawn = [
            (part, torch.randint(len(part[0]), (ROWS,), generator=generator))
            for part in ((read, wanted), beside)
            if part
        ]
        seen, meant = (torch.cat([part[i][rows] for part, rows in drawn]) for i in range(2))
        wrong = ((seen + NOISE * normal(*seen.shape)) @ w_in + b_in).relu() @ w_out - meant
        optimiser.zero_grad()
        wrong.square().mean((1, 2)).sum().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        distance = ((read @ w_in + b_in).relu() @ w_out - wanted).norm(dim=-1).amax(1)
    best = int(distance.argmin())
    return Lesson(w_in[best].detach(), b_in[best, 0].detach(), w_out[best].detach(), float(distance[best]))
