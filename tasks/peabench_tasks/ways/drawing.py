"""Fresh tasks for sealed suites: which ways are planted, letters, places and weights from a key."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import torch

from peabench.registry import Draft
from peabench.sealing.keys import derive, derive_seed
from peabench_tasks.production import make_all
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.training import begin_members, make_networks

ATTEMPTS = 3
"""How often a task is drawn anew, from other ways, before it is given up."""


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None], *, family: type[Specification]) -> None:
    """Plant and certify a fresh task, with its companions, in the folder of each draft.

    Args:
        drafts: where tasks go, and the keys that they follow from.
        progress: told what is being made and how much is done.
        family: whose tasks they are.

    Raises:
        PeabenchError: some did not pass; those that passed are written.
    """
    make_all(family.family, drafts, partial(make, family=family), progress, len(drafts))


def make(draft: Draft, family: type[Specification]) -> tuple[int, list[str]]:
    """Make one task; that it was one, and what is wrong with it if every attempt fails."""
    torch.set_num_threads(1)
    problems = list[str]()
    for attempt in range(ATTEMPTS):
        problems = make_networks(drawn(draft, family, attempt), draft.folder, 0, begin_members)
        if not problems:
            break
        shutil.rmtree(draft.folder, ignore_errors=True)
    return 1, problems


def drawn(draft: Draft, family: type[Specification], attempt: int = 0) -> Specification:
    """The task that a draft asks for."""
    key = derive(draft.key, "attempt", attempt)
    variant, _, size = draft.kind.rpartition("-")
    _, count = family.variants[variant]
    return family(variant, size, Random(derive_seed(key, "planted")).randrange(count), key)
