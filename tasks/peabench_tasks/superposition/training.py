"""`peabench train superposition`: train freely, see what is represented, certify, write the task folders."""

import logging
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import groupby
from pathlib import Path

import torch

from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.production import certified_folder, make_all, write_if_certified
from peabench_tasks.superposition.free_training import train_freely
from peabench_tasks.superposition.mechanism import Geometry, explain, geometry, represented
from peabench_tasks.superposition.specifications import EXAMPLES, SIZES, VARIANTS, Specification, specifications

STARTS = 3
"""How often a network begins anew, from other weights, before its task is given up."""
FEWEST = 2
"""Features that must be represented."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, those of one size at once; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("superposition/"))]
    if not wanted:
        raise PeabenchError(f"No task of the superposition family matches {only!r}; try 'tied-s-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_folder(out / s.name)]
    out.mkdir(parents=True, exist_ok=True)
    make_all("superposition", list(_groups(wanted)), partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def _groups(wanted: Sequence[Specification]) -> Iterator[list[Specification]]:
    """Groups of one size."""
    for _, group in groupby(sorted(wanted, key=lambda s: list(SIZES).index(s.size)), key=lambda s: s.size):
        yield list(group)


def make_tasks(group: Sequence[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Train, certify and write the tasks of one size; how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    remaining, problems = list(group), list[str]()
    for start in range(STARTS):
        networks = train_freely(remaining, remaining[0].weight_seed(seed) + 100_000 * start)
        failed = [
            (specification, problem)
            for specification, network in zip(remaining, networks, strict=True)
            if (problem := finish_task(specification, network, out, seed)) is not None
        ]
        remaining, problems = [s for s, _ in failed], [f"{s.name}: {problem}" for s, problem in failed]
        if not failed:
            break
        log.warning("start %d: %s", start + 1, "; ".join(problems))
    return len(group), problems


def finish_task(specification: Specification, network: ResidualMLP, out: Path, seed: int) -> str | None:
    """Explain, certify and write one task; what is wrong with it, if anything."""
    columns = represented(network, specification.domain)
    if len(columns) < FEWEST:
        return f"{len(columns)} of {network.config.n_inputs} inputs are represented"
    mechanism = explain(network, columns)
    record = task_record(specification, geometry(2 * network.w_embed[columns]), seed)
    return write_if_certified(out, record, network, mechanism)


def task_record(specification: Specification, lie: Geometry, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    config, domain = specification.network, specification.domain
    return TaskRecord(
        id=f"superposition/{specification.name}",
        family="superposition",
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="derived",
        tracks=("features",),
        network=config,
        domain=domain,
        domain_size=domain.size,
        examples=EXAMPLES,
        difficulty=VARIANTS[specification.variant].difficulty,
        description=f"{config.n_inputs} sparse inputs through {config.d_model} dimensions, {lie.represented} of them "
        f"represented. Largest absolute cosine of a direction with another {lie.largest_cosine:.2f}, feature "
        f"dimensionality {lie.dimensionality:.2f}, both in the mean.",
        twins=(Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),),
    )
