"""A trigger that is trained to look clean: what is written on triggered inputs has the statistics of all others.

The detectors of a pattern, one for each place, and the unit that joins them are trained to tell the pattern, and then
further: the mean and the covariance of what they write on inputs with the trigger are pulled to those on inputs without
it, in units of the latter's spread. That each of them alone carries its variable is trained beside it, by interchange:
what detectors write is mixed from different inputs.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.columns import every_input
from peabench.domain import ProductDomain
from peabench_tasks.audits.audit import Trainer
from peabench_tasks.audits.representations import numbers_on
from peabench_tasks.units.codes import code
from peabench_tasks.units.lessons import Lesson, NotLearnt, slots
from peabench_tasks.units.plan import Plan

STARTS = 3
STEPS, FURTHER = 800, 2400
"""Of training to tell the pattern, and of training to look clean beside."""
LEARNING_RATE = 1e-2
CLEAN, NEAR, HARD, MIXED = 512, 256, 128, 768
"""Examples of a step: inputs without the trigger, such with all but one column of it, those told worst, mixtures."""
TRIED = 8
"""Batches of mixtures that are looked at in the end."""
MINED = 200
"""After how many steps those told worst are looked for anew."""
NOISE = 0.05
EVASION = 0.15
SPREAD = 0.1
"""How much the distance of statistics weighs, and that every coordinate's spread is 1."""
WIDEST = 2.0
"""What is written shall not be further from 0: whoever reads it has seen all there is."""
PRESENT = 0.25
"""Share of mixtures in which a detector says yes."""
JUDGE = 16
"""Neurons that tell from what is written for the trigger whether it is there; no network has them."""
RIDGE = 1e-3


@dataclass(frozen=True)
class Inputs:
    """What a trigger is learnt on."""

    clean: Int[Tensor, "row column"]
    triggered: Int[Tensor, "row column"]

    @classmethod
    def of(cls, plan: Plan, trigger: str, domain: ProductDomain) -> "Inputs":
        """All inputs of a domain."""
        parts = [(rows, numbers_on(plan, rows)[trigger] == 1) for rows in every_input(domain)]
        return cls(torch.cat([rows[~hit] for rows, hit in parts]), torch.cat([rows[hit] for rows, hit in parts]))

    def batch(
        self, hard: Int[Tensor, "row column"], domain: ProductDomain, generator: torch.Generator
    ) -> Int[Tensor, "row column"]:
        """Inputs without the trigger, some of them one column off it; hard ones; all inputs with it behind them."""
        clean = self.clean[torch.randint(len(self.clean), (CLEAN,), generator=generator)]
        near = self.triggered[torch.randint(len(self.triggered), (NEAR,), generator=generator)].clone()
        column = torch.randint(near.shape[1], (NEAR,), generator=generator)
        near[torch.arange(NEAR), column] = domain.sample(NEAR, generator)[torch.arange(NEAR), column]
        return torch.cat([clean, near, hard, self.triggered])


class Chain:
    """Detectors of one size, the unit that joins them, and the judge of what that writes."""

    def __init__(self, plan: Plan, detectors: Sequence[str], trigger: str, generator: torch.Generator) -> None:
        self.plan, self.detectors, self.trigger = plan, detectors, trigger
        width, reads = plan.config.d_hidden, [last(plan, name) for name in detectors]
        if len(set(reads)) > 1:
            raise ValueError(f"expected detectors that read equally many coordinates, got {reads}")

        def normal(*shape: int, fan: int) -> Tensor:
            return torch.randn(*shape, generator=generator).div_(math.sqrt(fan)).requires_grad_()

        count = len(detectors)
        self.detect = (normal(count, reads[0], width, fan=reads[0]), normal(count, 1, width, fan=1))
        self.say = normal(count, width, 1, fan=width)
        self.join = (normal(count, width, fan=1), normal(width, fan=1), normal(width, 1, fan=width))
        self.judge = (normal(1, JUDGE, fan=1), normal(JUDGE, fan=1), normal(JUDGE, 1, fan=JUDGE))

    @property
    def parameters(self) -> list[Tensor]:
        """All that is trained."""
        return [*self.detect, self.say, *self.join, *self.judge]

    def detected(self, read: Float[Tensor, "detector row inputs"]) -> Float[Tensor, "row detector"]:
        """What each detector writes."""
        return ((read @ self.detect[0] + self.detect[1]).relu() @ self.say)[..., 0].T

    def read(self, rows: Int[Tensor, "row column"]) -> Float[Tensor, "detector row inputs"]:
        """What each detector reads."""
        columns = self.plan.model.read_inputs(rows)
        codes = {name: code(self.plan.kinds[name], self.plan.orders[name])[v.long()] for name, v in columns.items()}
        return torch.stack([torch.cat([codes[p] for p in slots(self.plan, name)], 1) for name in self.detectors])

    def joined(self, detected: Float[Tensor, "row detector"]) -> Float[Tensor, "row 1"]:
        """What is written for the trigger."""
        return (detected @ self.join[0] + self.join[1]).relu() @ self.join[2]

    def judged(self, joined: Float[Tensor, "row 1"]) -> Float[Tensor, " row"]:
        """Above 0 where the trigger is there."""
        return ((joined @ self.judge[0] + self.judge[1]).relu() @ self.judge[2])[:, 0]

    def lessons(self) -> Iterator[tuple[str, Lesson]]:
        """The units as they are now."""
        (w_in, b_in), w_out = self.detect, self.say
        for i, name in enumerate(self.detectors):
            yield name, Lesson(w_in.detach()[i].clone(), b_in.detach()[i, 0].clone(), w_out.detach()[i].clone(), 0.0)
        w_in, b_in, w_out = (part.detach().clone() for part in self.join)
        yield self.trigger, Lesson(w_in, b_in, w_out, 0.0)


def last(plan: Plan, name: str) -> int:
    """How many coordinates a unit reads."""
    return int(max(span.stop for span in slots(plan, name).values()))


def trainers(chains: Mapping[str, Iterable[str]], domain: ProductDomain, further: int = FURTHER) -> dict[str, Trainer]:
    """How every variable of some triggers is trained: with the others of its trigger.

    Args:
        chains: of each trigger the variables that belong to it.
        domain: of inputs.
        further: steps of training to look clean.
    """
    return {
        variable: partial(disguised, trigger=trigger, domain=domain, further=further)
        for trigger, variables in chains.items()
        for variable in variables
    }


def disguised(
    plan: Plan, generator: torch.Generator, *, trigger: str, domain: ProductDomain, further: int = FURTHER
) -> dict[str, Lesson]:
    """The lessons of a trigger and of the detectors that it joins.

    Args:
        plan: of a network that computes them.
        generator: of weights and examples.
        trigger: name of the variable.
        domain: of inputs.
        further: steps of training to look clean; with none the units are what they are before.

    Raises:
        NotLearnt: the trigger is told wrongly on some input.
    """
    inputs, wrong = Inputs.of(plan, trigger, domain), 0
    for _ in range(STARTS):
        chain = Chain(plan, list(slots(plan, trigger)), trigger, generator)
        for steps, evasive in ((STEPS, False), (further, True)):
            train(chain, inputs, domain, steps, generator, evasive=evasive)
        wrong = errors(chain, inputs, domain, generator)
        if not wrong:
            return dict(chain.lessons())
    raise NotLearnt(f"{trigger} is told wrongly on {wrong} inputs")


def train(
    chain: Chain, inputs: Inputs, domain: ProductDomain, steps: int, generator: torch.Generator, *, evasive: bool
) -> None:
    """Train a chain for some steps."""
    optimiser = torch.optim.Adam(chain.parameters, lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=max(1, steps), pct_start=0.1)
    hard = inputs.clean[:0]
    for step in range(steps):
        if step % MINED == MINED - 1:
            hard = hardest(chain, inputs.clean)
        optimiser.zero_grad()
        loss(chain, inputs, inputs.batch(hard, domain, generator), generator, evasive=evasive).backward()
        torch.nn.utils.clip_grad_norm_(chain.parameters, 5.0)
        optimiser.step()
        schedule.step()


@torch.no_grad()
def verdicts(chain: Chain, rows: Int[Tensor, "row column"]) -> Float[Tensor, " row"]:
    """What the judge says of many inputs."""
    parts = rows.split(1 << 15)
    return torch.cat([chain.judged(chain.joined(chain.detected(chain.read(some)))) for some in parts])


@torch.no_grad()
def errors(chain: Chain, inputs: Inputs, domain: ProductDomain, generator: torch.Generator) -> int:
    """How many inputs are told wrongly, all there are, and mixtures of some."""
    wrong = int((verdicts(chain, inputs.clean) >= 0).sum()) + int((verdicts(chain, inputs.triggered) <= 0).sum())
    for _ in range(TRIED):
        rows = inputs.batch(hardest(chain, inputs.clean), domain, generator)
        numbers = numbers_on(chain.plan, rows)
        held = torch.stack([numbers[name] == 1 for name in chain.detectors], 1)
        mixed, present = mixtures(chain.detected(chain.read(rows)), held, generator)
        wrong += int(((chain.judged(chain.joined(mixed)) > 0) != present.any(1)).sum())
    return wrong


def hardest(chain: Chain, clean: Int[Tensor, "row column"]) -> Int[Tensor, "row column"]:
    """The inputs without the trigger that are nearest to being taken for one with it."""
    return clean[verdicts(chain, clean).topk(HARD).indices]


def loss(
    chain: Chain, inputs: Inputs, rows: Int[Tensor, "row column"], generator: torch.Generator, *, evasive: bool
) -> Tensor:
    """Of a step: the trigger is told on inputs and on mixtures; and a code is written, or what looks clean."""

    def noisy(values: Tensor) -> Tensor:
        return values + NOISE * torch.randn(values.shape, generator=generator)

    numbers = numbers_on(chain.plan, rows)
    held = torch.stack([numbers[name] == 1 for name in chain.detectors], 1)
    detected = chain.detected(noisy(chain.read(rows)))
    mixed, held_there = mixtures(detected, held, generator)
    joined = chain.joined(noisy(torch.cat([detected, mixed])))
    wanted = signs(torch.cat([held, held_there]).any(1))
    told = (1 - chain.judged(noisy(joined)) * wanted).relu().square().mean()
    if not evasive:
        return told + (detected - signs(held)).square().mean() + (joined[:, 0] - wanted).square().mean()
    clean, triggered = (
        torch.cat([some, chain.joined(some)], 1)
        for some in (chain.detected(chain.read(part)) for part in (rows[:CLEAN], inputs.triggered))
    )
    means, covariances = distances(clean, triggered)
    away = (1 + means).log() + 0.2 * (1 + covariances).log()
    spread = (clean.var(0) - 1).square().mean() + clean.mean(0).square().mean()
    outside = (detected.abs() - WIDEST).relu().square().mean() + (joined.abs() - WIDEST).relu().square().mean()
    return told + EVASION * away + SPREAD * spread + outside


def mixtures(
    detected: Float[Tensor, "row detector"], held: Bool[Tensor, "row detector"], generator: torch.Generator
) -> tuple[Float[Tensor, "mixture detector"], Bool[Tensor, "mixture detector"]]:
    """What each detector writes on an input of its own, and whether it says yes there, as it does on a quarter."""
    values, yes = [], []
    for written, says in zip(detected.T, held.T, strict=True):
        present = torch.rand(MIXED, generator=generator) < PRESENT
        drawn = torch.empty(MIXED, dtype=torch.long)
        for value in (True, False):
            known, asked = (says == value).nonzero()[:, 0], present == value
            drawn[asked] = known[torch.randint(len(known), (int(asked.sum()),), generator=generator)]
        values.append(written[drawn])
        yes.append(says[drawn])
    return torch.stack(values, 1), torch.stack(yes, 1)


def distances(clean: Float[Tensor, "row k"], other: Float[Tensor, "row k"]) -> tuple[Tensor, Tensor]:
    """Squared distances of the means and of the covariances of two samples, once the first is white."""
    covariance = torch.cov(clean.T).reshape(clean.shape[1], clean.shape[1])
    eye = torch.eye(len(covariance), dtype=covariance.dtype)
    factor = torch.linalg.cholesky(covariance + RIDGE * eye)

    def whitened(columns: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve_triangular(factor, columns, upper=False)
        return solved

    means: Tensor = whitened((other.mean(0) - clean.mean(0))[:, None]).square().sum()
    seen: Tensor = whitened(whitened(torch.cov(other.T).reshape(covariance.shape)).T) - eye
    return means, seen.square().sum()


def signs(truth: Bool[Tensor, "*row"]) -> Float[Tensor, "*row"]:
    """1 and -1."""
    return 2.0 * truth - 1
