"""`peabench train gates`: plant the gates, read what the weights say of them, certify, write the task folders."""

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
from peabench_tasks.gates.mechanism import explain, gate_directions, largest_cosine
from peabench_tasks.gates.planting import plant
from peabench_tasks.gates.specifications import EXAMPLES, VARIANTS, Specification, specifications
from peabench_tasks.production import certified_folder, make_all, write_if_certified

STARTS = 3
"""How often a network begins anew, from other weights, before its task is given up."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, those of one shape at once; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("gates/"))]
    if not wanted:
        raise PeabenchError(f"No task of the gates family matches {only!r}; try 'and-s-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_folder(out / s.name)]
    out.mkdir(parents=True, exist_ok=True)
    make_all("gates", list(_groups(wanted)), partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def _groups(wanted: Sequence[Specification]) -> Iterator[list[Specification]]:
    """Groups of one variant and size."""
    for _, group in groupby(wanted, key=lambda s: (s.variant, s.size)):
        yield list(group)


def make_tasks(group: Sequence[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Train, certify and write the tasks of one variant and size; how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    remaining, problems = list(group), list[str]()
    frequency = VARIANTS[group[0].variant].frequency
    for start in range(STARTS):
        seeds = remaining[0].weight_seed(seed) + 100_000 * start
        networks = plant(group[0].network, [s.gates(seed) for s in remaining], frequency, seeds)
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
    gates = specification.gates(seed)
    record = task_record(specification, largest_cosine(gate_directions(network, gates)), seed)
    return write_if_certified(out, record, network, explain(network, gates))


def task_record(specification: Specification, cosine: float, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    config, domain, variant = specification.network, specification.domain, VARIANTS[specification.variant]
    neurons = config.d_hidden - config.n_inputs
    return TaskRecord(
        id=f"gates/{specification.name}",
        family="gates",
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("features",),
        network=config,
        domain=domain,
        domain_size=domain.size,
        examples=EXAMPLES,
        difficulty=variant.difficulty,
        description=f"{config.d_output} gates ({', '.join(variant.kinds)}) of pairs of {config.n_inputs} inputs, "
        f"computed by {neurons} {config.activation} neurons in {config.d_model} dimensions. Largest absolute cosine "
        f"of a direction with another {cosine:.2f} in the mean.",
        twins=(Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),),
    )
