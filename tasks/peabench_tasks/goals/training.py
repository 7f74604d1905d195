"""`peabench train goals`."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from peabench.tasks import TaskRecord
from peabench_tasks.audits import training as audits
from peabench_tasks.audits.specification import Specification
from peabench_tasks.goals.beliefs import Wanted
from peabench_tasks.goals.specifications import FAMILY, specifications, wanted
from peabench_tasks.production import make_all, to_make
from peabench_tasks.units import beliefs

FIRST = 5
"""What seeds of weights number the first task of the track `beliefs` by."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.audits.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    chosen = to_make(FAMILY, specifications(), only, out, resume, partial(task_record, seed=seed))
    if not resume:
        for specification in chosen:
            shutil.rmtree(out / audits.DRAFTS / specification.name, ignore_errors=True)
    make_all(FAMILY, chosen, partial(make, out=out, seed=seed), progress, len(chosen))


def make(specification: Specification | Wanted, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    if isinstance(specification, Specification):
        return audits.make(specification, out, seed)
    return beliefs.make(specification, task_record(specification, seed), weight_seed(specification, seed), out)


def weight_seed(specification: Wanted, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * (FIRST + [one.name for one in wanted()].index(specification.name))


def task_record(specification: Specification | Wanted, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    if isinstance(specification, Specification):
        return audits.task_record(specification, seed)
    return beliefs.task_record(FAMILY, specification, weight_seed(specification, seed))
