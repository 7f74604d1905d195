"""`peabench train goals`."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.tasks import TaskRecord, Twin
from peabench_tasks.audits import training as audits
from peabench_tasks.audits.specification import Specification
from peabench_tasks.board.specifications import DIFFICULTY
from peabench_tasks.board.training import RANDOM_INIT, STARTS, plant
from peabench_tasks.goals.beliefs import EXAMPLES, GOAL, Wanted
from peabench_tasks.goals.specifications import FAMILY, specifications, wanted
from peabench_tasks.production import ANEW, certified_already, make_all, matching

FIRST = 5
"""What seeds of weights number the first task of the track `beliefs` by."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.audits.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    chosen = matching(FAMILY, specifications(), only)
    if resume:
        chosen = [s for s in chosen if not certified_already(task_record(s, seed), out / s.name)]
    else:
        for specification in chosen:
            shutil.rmtree(out / audits.DRAFTS / specification.name, ignore_errors=True)
    make_all(FAMILY, chosen, partial(make, out=out, seed=seed), progress, len(chosen))


def make(specification: Specification | Wanted, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    if isinstance(specification, Specification):
        return audits.make(specification, out, seed)
    torch.set_num_threads(1)
    first = weight_seed(specification, seed)
    plans = (specification.plan(first + ANEW * start) for start in range(STARTS))
    problem = plant(plans, GOAL, task_record(specification, seed), out)
    return 1, [f"{specification.name}: {problem}"] if problem else []


def weight_seed(specification: Wanted, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * (FIRST + [one.name for one in wanted()].index(specification.name))


def task_record(specification: Specification | Wanted, seed: int) -> TaskRecord:
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
        examples=EXAMPLES[specification.variant],
        difficulty=DIFFICULTY[specification.variant],
        description="Moves on a grid with walls, the shortest way to one of three objects: columns are where the agent "
        "and the objects are, a lamp that names an object, and a dial that says how many objects further on the one is "
        "that counts. Asked about: goal, the object that the policy goes for.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed(specification, seed)),),
    )
