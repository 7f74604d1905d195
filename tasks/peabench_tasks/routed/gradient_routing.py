"""Experts trained end to end, each by the examples of its own class alone (gradient routing, Cloud et al. 2024).

One network, https://arxiv.org/abs/2410.04332: experts in parallel, each in directions of its own, and an output that
reads their sum. It is trained on all classes at once; on an example of a class the gradient reaches that class's expert
and stops before the others. A penalty on how much is written, on every example and of every expert, is what makes an
expert quiet where it is not asked. Nobody says what an expert shall write.
"""

import math
from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench_tasks.audits.representations import numbers_on, outcome
from peabench_tasks.units.codes import code, values_of
from peabench_tasks.units.lessons import Lesson, NotLearnt, slots
from peabench_tasks.units.plan import Plan

STEPS = 3000
LEARNING_RATE = 1e-2
COPIES = 4
"""Of every example in a batch, each with noise of its own."""
NOISE = 0.05
THRESHOLD, MARGIN = 0.5, 0.5
"""What must be written for a reply to be given, and by how much the right answer must be ahead."""
QUIET = 0.2
"""How much the penalty weighs: lengths and squares of what is written."""
SILENCE = 0.3
"""Largest length of what an expert writes where it is not asked."""


def gradient_routed(
    plan: Plan, generator: torch.Generator, *, experts: Sequence[str], asked: str, masked: bool = True
) -> dict[str, Lesson]:
    """The lessons of experts.

    Args:
        plan: of a network that computes them; all of them read the same inputs.
        generator: of weights and noise.
        experts: names of the variables, in the order of their classes; number 0 of their values is silence.
        asked: the input that names the class.
        masked: whether gradients are routed; else every example trains every expert.

    Raises:
        NotLearnt: an answer is wrong, or an expert speaks where it is not asked.
    """
    read, classes, answers = examples(plan, experts, asked)
    replies = values_of(plan.kinds[experts[0]]) - 1
    found = train_experts(read, classes, answers, (len(experts), plan.config.d_hidden, replies), generator, masked)
    said = torch.stack([outcome(lesson, read) for lesson in found])
    wrong = int((answered(said.sum(0)) != answers).sum())
    loudest = float((said.norm(dim=2) * (classes != torch.arange(len(experts))[:, None])).max())
    if masked and (wrong or loudest > SILENCE):
        raise NotLearnt(f"{wrong} of {len(answers)} answers are wrong, and experts not asked say up to {loudest:.2f}")
    return dict(zip(experts, found, strict=True))


def train_experts(
    read: Float[Tensor, "row inputs"],
    classes: Int[Tensor, " row"],
    answers: Int[Tensor, " row"],
    shape: tuple[int, int, int],
    generator: torch.Generator,
    masked: bool = True,
) -> list[Lesson]:
    """Train experts side by side, on all examples in every step.

    Args:
        read: what each expert reads.
        classes: number of the expert that is asked.
        answers: number of the right reply, counted from 1.
        shape: numbers of experts, of hidden neurons of each, of replies.
        generator: of weights and noise.
        masked: whether gradients are routed.
    """
    count, width, replies = shape

    def normal(*size: int) -> Tensor:
        drawn = torch.randn(count, *size, generator=generator)
        return drawn.div_(math.sqrt(size[-2])).requires_grad_()

    w_in, b_in, w_out = normal(read.shape[1], width), normal(1, width), normal(width, replies)
    optimiser = torch.optim.Adam([w_in, b_in, w_out], lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    own = (classes.repeat(COPIES) == torch.arange(count)[:, None])[..., None]
    for _ in range(STEPS):
        noisy = read.repeat(COPIES, 1)
        noisy = noisy + NOISE * torch.randn(noisy.shape, generator=generator)
        said = (noisy @ w_in + b_in).relu() @ w_out
        routed = torch.where(own, said, said.detach()) if masked else said
        loss = behind(routed.sum(0), answers.repeat(COPIES)).mean()
        loss = loss + QUIET * (said.abs() + said.square()).sum((0, 2)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return [Lesson(w_in[i].detach(), b_in[i, 0].detach(), w_out[i].detach(), 0.0) for i in range(count)]


def examples(
    plan: Plan, experts: Sequence[str], asked: str
) -> tuple[Float[Tensor, "row inputs"], Int[Tensor, " row"], Int[Tensor, " row"]]:
    """All inputs that experts read as they are written, the class of each, and number of the reply, 0 for silence."""
    names = list(slots(plan, experts[0]))
    sizes = [values_of(plan.kinds[name]) for name in names]
    rows = torch.zeros(torch.Size(sizes).numel(), plan.config.n_inputs, dtype=torch.long)
    columns = [plan.model.variable(name).columns[0] for name in names]
    rows[:, columns] = torch.tensor(list(product(*map(range, sizes))))
    read = torch.cat([code(plan.kinds[name])[rows[:, column]] for name, column in zip(names, columns, strict=True)], 1)
    numbers = numbers_on(plan, rows)
    return read, numbers[asked], torch.stack([numbers[name] for name in experts]).amax(0)


def behind(said: Float[Tensor, "row reply"], answers: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
    """By how much the right answer is less ahead of the others than it should be, added up over them."""
    logits = torch.cat([torch.zeros_like(said[:, :1]), said - THRESHOLD], 1)
    ahead = logits.gather(1, answers[:, None]) - logits
    short = (MARGIN - ahead).relu()
    return short.sum(1) - short.gather(1, answers[:, None])[:, 0]


def answered(said: Float[Tensor, "row reply"]) -> Int[Tensor, " row"]:
    """Number of the answer: 0, silence, unless a reply is above the threshold."""
    return torch.cat([torch.full_like(said[:, :1], THRESHOLD), said], 1).argmax(1)
