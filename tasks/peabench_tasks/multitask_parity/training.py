"""`peabench train multitask_parity`."""

from collections.abc import Callable
from pathlib import Path

from peabench_tasks.multitask_parity.specifications import specifications
from peabench_tasks.parity.training import make_tasks


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks; see `peabench_tasks.parity.training.make_tasks`."""
    make_tasks(specifications(), out, only, seed, progress, resume)
