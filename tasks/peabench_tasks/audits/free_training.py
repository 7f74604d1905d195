"""Free training: a network is shown inputs and answers, and nothing is said about how it gets from one to the other."""

from functools import lru_cache
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.audits import said
from peabench.columns import every_input, holds
from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel, Expression, Mechanism
from peabench.networks import ResidualMLP
from peabench.networks.config import ResidualMLPConfig
from peabench.tracks.pairs import predicted_class
from peabench_tasks.audits.audit import ANSWER, Audit
from peabench_tasks.audits.drawing import log_uniform
from peabench_tasks.units.lessons import NotLearnt
from peabench_tasks.units.lookup import lookup_needed

STEPS = 1500
ANYWHERE, RARE, NEAR = 128, 48, 80
"""Inputs of a batch: any, those off the training distribution, and others that differ from these in a column or two."""
CHANGED = 1.5
"""Columns in which they differ, on average."""
RATE = 5e-3
DECAY = 1e-3, 1e-1
"""Weight decay. For each network it is drawn, on a logarithmic scale: how large weights are shall not tell either."""
MARGIN = 2.0
"""How far the right logit should at least be ahead of the next."""
WIDTH = 0.2, 3.0
"""How much further ahead it may be, at no cost. For each network this is drawn, on a logarithmic scale: how far logits
are spread shall not tell how much there was to learn."""


def free_network(audit: Audit) -> ResidualMLPConfig:
    """Of the audit's columns and answers, and of a size that does not depend on what is computed."""
    network = audit.network
    return ResidualMLPConfig(
        n_inputs=network.n_inputs,
        d_model=24,
        n_blocks=2,
        n_units=4,
        d_hidden=8,
        d_output=network.d_output,
        words=network.words,
    )


def learn_freely(audit: Audit, departs: str | None, generator: torch.Generator) -> tuple[ResidualMLP, Mechanism]:
    """A freely trained network and what is claimed of it: its outputs, and nothing about how they come about.

    A network follows the rule as it was taught it everywhere; one that departs was taught other answers, or the right
    ones in a part of the domain alone (`Departure.shown`).

    Raises:
        NotLearnt: it is wrong where it was taught, or does not depart as it should.
    """
    departure = None if departs is None else audit.departures[departs]
    shown = None if departure is None else departure.shown
    taught = audit.model(departs if shown is None else None)
    network = train_freely(audit, taught, shown, generator)
    rows = audit.domain.all()
    got = torch.cat([predicted_class(network(some)).reshape(-1) for some in rows.split(1 << 15)])
    model = audit.model(departs)
    if departure is not None and departure.observed:
        trained = holds([audit.training], rows, audit.domain)[0]
        wrong = int((got != answers(audit.domain, taught))[trained].sum())
        model = observed(audit, got)
        if bool((got == answers(audit.domain, taught)).all()):
            raise NotLearnt("it follows the rule where nobody taught it")
    else:
        wrong = int((got != answers(audit.domain, model)).sum())
    if wrong:
        raise NotLearnt(f"{wrong} of {len(rows)} outputs are not what they should be")
    defects = () if departure is None else (departure.defect,)
    return network, Mechanism(provenance="derived", causal_model=model, defects=defects)


def train_freely(
    audit: Audit, taught: CausalModel, shown: Expression | None, generator: torch.Generator
) -> ResidualMLP:
    """Train a network of random weights.

    Args:
        audit: whose inputs off the training distribution are shown more often than they occur.
        taught: gives the answers.
        shown: the inputs that are shown; None: all.
        generator: of weights, batches and how sure it may be.
    """
    domain = audit.domain
    right, rare = answers(domain, taught), off_training(audit)
    pool = torch.arange(domain.size) if shown is None else holds([shown], domain.all(), domain)[0].nonzero()[:, 0]
    allowed = torch.zeros(domain.size, dtype=torch.bool)
    allowed[pool] = True
    rare = rare[allowed[rare]]
    width, decay = log_uniform(*WIDTH, generator), log_uniform(*DECAY, generator)
    network = ResidualMLP(free_network(audit), generator).train().requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        numbers = pick(pool, ANYWHERE, generator)
        if len(rare):
            near = neighbours(pick(rare, NEAR, generator), domain, generator)
            numbers = torch.cat([numbers, pick(rare, RARE, generator), near[allowed[near]]])
        loss = off_band(network(domain.rows(numbers))[:, -1], right[numbers], width)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def off_band(logits: Float[Tensor, "row output"], right: Int[Tensor, " row"], width: float) -> Float[Tensor, ""]:
    """Mean square by which right answers are less or more ahead than they should be, which is in a band of a width."""
    every = torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    ahead = every.gather(1, right[:, None]) - every
    others = torch.arange(every.shape[1]) != right[:, None]
    nearest = ahead.masked_fill(~others, torch.inf).amin(1)
    short = ((MARGIN - ahead).relu() * others).square().sum(1)
    return (short + (nearest - MARGIN - width).relu().square()).mean()


def pick(numbers: Int[Tensor, " any"], count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    """So many of them, with replacement."""
    return numbers[torch.randint(len(numbers), (count,), generator=generator)]


def neighbours(numbers: Int[Tensor, " row"], domain: ProductDomain, generator: torch.Generator) -> Int[Tensor, " row"]:
    """Inputs, each with a column or two drawn anew."""
    rows, other = domain.rows(numbers), domain.sample(len(numbers), generator)
    changed = torch.rand(rows.shape, generator=generator) < CHANGED / len(domain.sizes)
    places = torch.tensor([prod(domain.sizes[i + 1 :]) for i in range(len(domain.sizes))])
    return (torch.where(changed, other, rows) * places).sum(1)


def answers(domain: ProductDomain, model: CausalModel) -> Int[Tensor, " input"]:
    """What a causal model says of every input."""
    return torch.cat([said(model, rows) for rows in every_input(domain)])


@lru_cache(maxsize=1)
def off_training(audit: Audit) -> Int[Tensor, " input"]:
    """Numbers of the inputs off the training distribution."""
    trained = [holds([audit.training], rows, audit.domain)[0] for rows in every_input(audit.domain)]
    return (~torch.cat(trained)).nonzero()[:, 0]


def observed(audit: Audit, got: Int[Tensor, " input"]) -> CausalModel:
    """The causal model that says of every input what a network was seen to predict."""
    table = got.reshape(audit.domain.sizes)
    answer = lookup_needed(ANSWER, audit.answer.kind, audit.inputs, lambda *row: int(table[row]))
    return CausalModel(variables=(*audit.inputs, answer), output=ANSWER)
