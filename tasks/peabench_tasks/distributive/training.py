"""`peabench train distributive`."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from peabench_tasks.distributive.attending.specifications import Attending
from peabench_tasks.distributive.attending.training import begin_transformers
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.ways.specification import Member, Specification
from peabench_tasks.ways.training import begin_members
from peabench_tasks.ways.training import train as train_family


def every_task() -> Iterator[Distributive]:
    """Those in residual MLPs, then those in transformers."""
    yield from Distributive.listed()
    yield from Attending.listed()


def begin_networks(
    specification: Specification, waiting: Sequence[Member], draft: Path, seed: int, start: int
) -> list[str]:
    """Networks of a task in what it is planted in; see `peabench_tasks.ways.training.begin_members`."""
    if isinstance(specification, Attending):
        return begin_transformers(specification, waiting, draft, seed, start)
    return begin_members(specification, waiting, draft, seed, start)


train = partial(train_family, listed=every_task, begun_by=begin_networks)
