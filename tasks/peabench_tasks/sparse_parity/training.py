"""`peabench train sparse_parity`."""

from collections.abc import Callable
from pathlib import Path

from peabench_tasks.parity.training import make_tasks
from peabench_tasks.sparse_parity.specifications import specifications


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks; see `peabench_tasks.parity.training.make_tasks`."""
    make_tasks(specifications(), out, only, seed, progress, resume)
