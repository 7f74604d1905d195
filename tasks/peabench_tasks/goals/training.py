"""`peabench train goals`."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.tasks import TaskRecord, Twin
from peabench_tasks.audits import training as audits
from peabench_tasks.audits.specification import Specification
from peabench_tasks.board.training import RANDOM_INIT, STARTS, plant
from peabench_tasks.goals.beliefs import Followed
from peabench_tasks.goals.specifications import FAMILY, specifications
from peabench_tasks.production import ANEW, certified_already, make_all, matching


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.audits.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = matching(FAMILY, specifications(), only)
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    else:
        for specification in wanted:
            shutil.rmtree(out / audits.DRAFTS / specification.name, ignore_errors=True)
    make_all(FAMILY, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification | Followed, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    if isinstance(specification, Specification):
        return audits.make(specification, out, seed)
    torch.set_num_threads(1)
    first = weight_seed(specification, seed)
    plans = (specification.plan(first + ANEW * start) for start in range(STARTS))
    problem = plant(plans, specification.state, task_record(specification, seed), out)
    return 1, [f"{specification.name}: {problem}"] if problem else []


def weight_seed(specification: Followed, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * list(specifications()).index(specification)


def task_record(specification: Specification | Followed, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    if isinstance(specification, Specification):
        return audits.task_record(specification, seed)
    return TaskRecord(
        id=f"{FAMILY}/{specification.name}",
        family=FAMILY,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("beliefs",),
        network=specification.network,
        domain=specification.domain,
        domain_size=specification.domain.size,
        examples=specification.examples,
        difficulty=specification.difficulty,
        description=f"{specification.audit.description} Asked about: {specification.state}, where it wants to go.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed(specification, seed)),),
    )
