"""`peabench train superposition`: train freely, see what is represented, certify, write the task folders."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.networks import ResidualMLP
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.production import (
    ANEW,
    certified_folder,
    from_several_starts,
    make_all,
    matching,
    write_if_certified,
)
from peabench_tasks.superposition.free_training import train_freely
from peabench_tasks.superposition.mechanism import Geometry, explain, geometry, represented, written
from peabench_tasks.superposition.specifications import EXAMPLES, VARIANTS, Specification, specifications

STARTS = 3
"""How often a network begins anew, from other weights, before its task is given up."""
FEWEST = 2
"""Features that must be represented."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = matching("superposition", specifications(), only)
    if resume:
        wanted = [s for s in wanted if not certified_folder(out / s.name)]
    make_all("superposition", wanted, partial(make_task, out=out, seed=seed), progress, len(wanted))


def make_task(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Train, certify and write a task; returns that it was one, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    return from_several_starts(
        specification, STARTS, partial(trained, seed=seed), partial(finish_task, out=out, seed=seed)
    )


def trained(specification: Specification, start: int, seed: int) -> ResidualMLP:
    """A network of this start."""
    return train_freely(specification, specification.weight_seed(seed) + ANEW * start)


def finish_task(specification: Specification, network: ResidualMLP, out: Path, seed: int) -> str | None:
    """Explain, certify and write one task; what is wrong with it, if anything."""
    columns = represented(network, specification.domain)
    if len(columns) < FEWEST:
        return f"{len(columns)} of {network.config.n_inputs} inputs are represented"
    mechanism = explain(network, columns)
    record = task_record(specification, geometry(written(network)[columns]), seed)
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
