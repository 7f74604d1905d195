"""Train each task's network, explain it, certify it, write the task folder."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.domain import ProductDomain
from peabench.tasks import TaskRecord, Twin, frozen
from peabench_tasks.hmm.mechanism import build_mechanism
from peabench_tasks.hmm.planting import Plan, train_planted
from peabench_tasks.hmm.specifications import DESCRIPTIONS, FAMILY, SEEDS, Specification, specifications
from peabench_tasks.production import ANEW, make_all, to_make, write_if_certified

STARTS = 2
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
STATES = ".states"
"""Folder of trainings, from which one that was stopped goes on."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = to_make(FAMILY, specifications(), only, out, resume, partial(task_record, seed=seed))
    if not resume:
        for specification in wanted:
            for state in (out / STATES).glob(f"{specification.name}-*.safetensors"):
                state.unlink()
    make_all(FAMILY, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    plan = Plan(
        specification.process,
        specification.network,
        specification.planted,
        specification.position,
        specification.steps,
        specification.decoy,
    )
    (out / STATES).mkdir(parents=True, exist_ok=True)
    problem: str | None = None
    for start in range(STARTS):
        state = out / STATES / f"{specification.name}-{start}.safetensors"
        made = train_planted(plan, weight_seed(specification, seed) + ANEW * start, state)
        frozen(made.network)
        problem = write_if_certified(
            out, task_record(specification, seed), made.network, build_mechanism(specification, made)
        )
        if problem is None:
            state.unlink()
            return 1, []
        log.warning("%s, start %d: %s", specification.name, start + 1, problem)
    return 1, [f"{specification.name}: {problem}"]


def weight_seed(specification: Specification, seed: int) -> int:
    """Seed of the weights, of the place and of the sequences."""
    return 1_000_000 * seed + 1000 * list(SEEDS).index(specification.variant) + specification.seed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    domain = ProductDomain(sizes=(specification.process.n_tokens,) * specification.length)
    return TaskRecord(
        id=f"{FAMILY}/{specification.name}",
        family=FAMILY,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="derived" if specification.planted is None else "planted",
        tracks=("beliefs",),
        network=specification.network,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        difficulty=specification.difficulty,
        description=DESCRIPTIONS[specification.process_name],
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed(specification, seed)),),
    )
