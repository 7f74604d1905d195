"""Plant each task's network, certify it, write the task folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from peabench.tasks import TaskRecord
from peabench_tasks.board.specifications import FAMILY, SEEDS, Specification, specifications
from peabench_tasks.production import make_all, to_make
from peabench_tasks.units import beliefs


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.with_companions.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = to_make(FAMILY, specifications(), only, out, resume, partial(task_record, seed=seed))
    make_all(FAMILY, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    return beliefs.make(specification, task_record(specification, seed), weight_seed(specification, seed), out)


def weight_seed(specification: Specification, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * list(SEEDS).index(specification.variant) + specification.seed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    return beliefs.task_record(FAMILY, specification, weight_seed(specification, seed))
