"""`peabench train attributes`: plant, verify, train on until the certificate passes, write the task folders."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.tasks import TaskRecord, Twin
from peabench_tasks.attributes.mechanism import build_mechanism
from peabench_tasks.attributes.planting import Planter, finished, step_loss
from peabench_tasks.attributes.specifications import Specification, specifications
from peabench_tasks.production import make_all, to_make, write_if_certified

REUSED = 16
"""Steps whose rows are drawn at once."""
LEARNING_RATE = 6e-3
MENDING_RATE = 2e-3
MENDING_STEPS = 240
MENDING_ROUNDS = 16
SIFTED = 4
"""In mending, so many times as many rows are drawn, and those kept that come out worst."""
VERIFIED = 16
"""Pools of 8,192 rows on which a network is tried before it is certified."""
MOST_WRONG = 8
"""Of these rows; more, and it is mended first."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other queries, directions and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = to_make("attributes", specifications(), only, out, resume, partial(task_record, seed=seed))
    wanted.sort(key=lambda s: -s.shape.attributes)
    make_all("attributes", wanted, partial(make_task, out=out, seed=seed), progress, len(wanted))


def make_task(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Plant, certify and write a task; returns that it was one, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    lexicon, config, queries = specification.lexicon(), specification.config(), specification.queries(seed)
    planter = Planter.begin(lexicon, queries, config, specification.weight_seed(seed))
    shape = specification.shape
    plant(planter, shape.steps, shape.rows, LEARNING_RATE)
    problem: str | None = None
    for attempt in range(MENDING_ROUNDS):
        plant(planter, MENDING_STEPS, shape.rows, MENDING_RATE / 2 ** (attempt % 3), SIFTED)
        wrong = sampled_errors(planter)
        problem = f"{wrong} of {VERIFIED * 8192} sampled states wrong"
        if wrong <= MOST_WRONG:
            network, directions = finished(planter, lexicon, config)
            mechanism = build_mechanism(lexicon, queries, directions)
            problem = write_if_certified(out, task_record(specification, seed), network, mechanism)
        if problem is None:
            return 1, []
        log.warning("%s, round %d: %s", specification.name, attempt + 1, problem)
    return 1, [f"{specification.name}: {problem}"]


def plant(planter: Planter, steps: int, rows: int, rate: float, sifted: int = 1) -> None:
    """One learning-rate cycle, on all rows that are drawn or on the worst of so many times as many."""
    optimiser = torch.optim.AdamW(planter.trainable(), lr=rate, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        at = step % REUSED
        if at == 0:
            features, query, target = drawn(planter, REUSED * rows, sifted)
        some = slice(at, None, REUSED)
        loss = step_loss(planter.logits(features[some], query[some]), target[some])
        optimiser.zero_grad()
        (loss + planter.geometry_loss()).backward()
        planter.clip_gradients(1.0)
        optimiser.step()
        schedule.step()
        if step % (steps // 4) == 0:
            log.info("step %d of %d: loss %.4f", step, steps, loss.item())


@torch.no_grad()
def drawn(
    planter: Planter, rows: int, sifted: int
) -> tuple[Float[Tensor, "row feature"], Int[Tensor, " row"], Bool[Tensor, " row"]]:
    """States as features, queries and answers: the worst ones of so many times as many, in any order."""
    levels, query = planter.states.draw(rows * sifted, planter.generator)
    features = planter.states.loosened(planter.states.features(levels), planter.generator)
    target = planter.states.answers(levels, query)
    if sifted == 1:
        return features, query, target
    worst = (planter.logits(features, query) * (2 * target.float() - 1)).argsort()[:rows]
    return features[worst], query[worst], target[worst]


@torch.no_grad()
def sampled_errors(planter: Planter) -> int:
    """Wrong answers over fresh states."""
    wrong = 0
    for _ in range(VERIFIED):
        levels, query = planter.states.draw(8192, planter.generator)
        features = planter.states.loosened(planter.states.features(levels), planter.generator)
        wrong += int(((planter.logits(features, query) > 0) != planter.states.answers(levels, query)).sum())
    return wrong


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
