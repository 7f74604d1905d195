"""`peabench train attributes`: plant, verify, train on until the certificate passes, write the task folders."""

import logging
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.mechanism import build_mechanism
from peabench_tasks.attributes.planting import Planter, finished, step_loss
from peabench_tasks.attributes.specifications import Specification, specifications
from peabench_tasks.attributes.states import States
from peabench_tasks.production import certified_already, make_all, write_if_certified

ROWS = 256
REUSED = 16
"""Steps whose rows are drawn at once."""
LEARNING_RATE = 6e-3
MENDING_RATE = 2e-3
MENDING_STEPS = 240
MENDING_ROUNDS = 16
SIFTED = 4
"""In mending, so many times as many rows are drawn, and those kept that come out worst."""
TOGETHER = 9
"""Networks of one shape trained in one process."""
VERIFIED = 16
"""Pools of 8,192 rows on which a network is tried before it is certified."""
MOST_WRONG = 8
"""Of these rows; more, and it is mended first."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, groups of one size at once, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other queries, directions and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("attributes/"))]
    if not wanted:
        raise PeabenchError(f"No task of the attributes family matches {only!r}; try 'plain-xs-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    jobs = list[list[Specification]]()
    for _, group in groupby(sorted(wanted, key=lambda s: -s.shape.attributes), key=lambda s: s.size):
        same = list(group)
        jobs += [same[start : start + TOGETHER] for start in range(0, len(same), TOGETHER)]
    make_all("attributes", jobs, partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def make_tasks(group: Sequence[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Plant, certify and write the tasks of one size; returns how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    generator = generator_of(group[0].weight_seed(seed))
    lexicons = [s.lexicon() for s in group]
    states = States.of([(one, s.queries(seed)) for one, s in zip(lexicons, group, strict=True)], generator)
    seeds = [s.weight_seed(seed) for s in group]
    planter = Planter.begin(states, lexicons, [s.config() for s in group], seeds)
    plant(planter, group[0].shape.steps, LEARNING_RATE, generator)
    left, problems = list(range(len(group))), dict[int, str]()
    for attempt in range(MENDING_ROUNDS):
        plant(planter, MENDING_STEPS, MENDING_RATE / 2 ** (attempt % 3), generator, SIFTED)
        wrong = sampled_errors(planter, generator)
        log.warning("round %d: wrong of %d: %s", attempt, VERIFIED * 8192, wrong)
        failed = []
        for place, number in enumerate(left):
            problem: str | None = f"{wrong[place]} of {VERIFIED * 8192} sampled states wrong"
            if wrong[place] <= MOST_WRONG:
                problem = _finish(group[number], planter, place, lexicons[number], out, seed)
            if problem is not None:
                problems[number] = problem
                failed.append(place)
        if not failed:
            return len(group), []
        left, planter = [left[place] for place in failed], planter.subset(failed)
    return len(group), [f"{group[number].name}: {problems[number]}" for number in left]


def _finish(
    specification: Specification,
    planter: Planter,
    place: int,
    lexicon: Lexicon,
    out: Path,
    seed: int,
) -> str | None:
    """Certify one network and, if it passes, write its folder; else say what fails."""
    network, directions = finished(planter, place, lexicon, specification.config())
    mechanism = build_mechanism(lexicon, specification.queries(seed), directions)
    problem = write_if_certified(out, task_record(specification, seed), network, mechanism)
    if problem is not None:
        log.warning("%s: %s", specification.name, problem)
    return problem


def plant(planter: Planter, steps: int, rate: float, generator: torch.Generator, sifted: int = 1) -> None:
    """One learning-rate cycle, on all rows that are drawn or on the worst of so many times as many."""
    optimiser = torch.optim.AdamW(planter.trainable(), lr=rate, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        at = step % REUSED
        if at == 0:
            features, query, target = drawn(planter, REUSED * ROWS, generator, sifted)
        some = slice(at, None, REUSED)
        loss = step_loss(planter.logits(features[:, some], query[:, some]), target[:, some])
        optimiser.zero_grad()
        (loss + planter.geometry_loss()).backward()
        planter.clip_gradients(1.0)
        optimiser.step()
        schedule.step()
        if step % (steps // 4) == 0:
            log.info("step %d of %d: loss %.4f", step, steps, loss.item() / len(target))


@torch.no_grad()
def drawn(
    planter: Planter, rows: int, generator: torch.Generator, sifted: int
) -> tuple[Float[Tensor, "network row feature"], Int[Tensor, "network row"], Bool[Tensor, "network row"]]:
    """States as features, queries and answers: the worst ones of so many times as many, in any order."""
    levels, query = planter.states.draw(rows * sifted, generator)
    features = planter.states.loosened(planter.states.features(levels), generator)
    target = planter.states.answers(levels, query)
    if sifted > 1:
        margin = planter.logits(features, query) * (2 * target.float() - 1)
        worst = margin.argsort(1)[:, :rows]
        features = features.gather(1, worst[..., None].expand(-1, -1, features.shape[2]))
        query, target = query.gather(1, worst), target.gather(1, worst)
    return features, query, target


@torch.no_grad()
def sampled_errors(planter: Planter, generator: torch.Generator) -> list[int]:
    """Wrong answers of each network over fresh states."""
    wrong = torch.zeros(len(planter.states.bank), dtype=torch.long)
    for _ in range(VERIFIED):
        levels, query = planter.states.draw(8192, generator)
        features = planter.states.loosened(planter.states.features(levels), generator)
        logits = planter.logits(features, query)
        wrong += ((logits > 0) != planter.states.answers(levels, query)).sum(1)
    return [int(count) for count in wrong]


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    shape, lexicon = specification.shape, specification.lexicon()
    domain = lexicon.domain(shape.queries)
    found = len(lexicon.attributes) + shape.queries
    return TaskRecord(
        id=f"attributes/{specification.name}",
        family="attributes",
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("features",),
        network=specification.config(),
        domain=domain,
        domain_size=domain.size,
        examples=shape.examples,
        difficulty=specification.about.difficulty,
        description=f"{specification.about.description} {found} features in {shape.d_model} dimensions.",
        twins=(Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),),
    )
