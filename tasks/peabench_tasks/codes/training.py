"""`peabench train codes`: train freely, read the codes off, certify, write the task folders."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.networks import ResidualMLP
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.codes.clauses import literal_matrix
from peabench_tasks.codes.free_training import train_freely
from peabench_tasks.codes.mechanism import Explanation, explain
from peabench_tasks.codes.specifications import EXAMPLES, VARIANTS, Specification, specifications
from peabench_tasks.production import (
    ANEW,
    certified_folder,
    from_several_starts,
    make_all,
    matching,
    write_if_certified,
)

STARTS = 3
"""How often a network begins anew, from other weights, before its task is given up."""
FEWEST_CERTIFIED = 0.75
"""Share of the clauses that must have a certified code."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = matching("codes", specifications(), only)
    if resume:
        wanted = [s for s in wanted if not certified_folder(out / s.name)]
    make_all("codes", wanted, partial(make_task, out=out, seed=seed), progress, len(wanted))


def make_task(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Train, certify and write a task; returns that it was one, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    return from_several_starts(
        specification, STARTS, partial(trained, seed=seed), partial(finish_task, out=out, seed=seed)
    )


def trained(specification: Specification, start: int, seed: int) -> ResidualMLP:
    """A network of this start."""
    literals = literal_matrix(specification.clauses(seed), specification.n_inputs)
    return train_freely(
        specification.network, literals, specification.domain, specification.weight_seed(seed) + ANEW * start
    )


def finish_task(specification: Specification, network: ResidualMLP, out: Path, seed: int) -> str | None:
    """Explain, certify and write one task; what is wrong with it, if anything."""
    clauses = specification.clauses(seed)
    explanation = explain(network, clauses, specification.domain, VARIANTS[specification.variant].tolerance)
    if len(explanation.uncertified) > (1 - FEWEST_CERTIFIED) * len(clauses):
        return f"{len(explanation.uncertified)} of {len(clauses)} clauses have no certified code"
    record = task_record(specification, explanation, seed)
    return write_if_certified(out, record, network, explanation.mechanism)


def task_record(specification: Specification, explanation: Explanation, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    config, domain = specification.network, specification.domain
    missing = explanation.uncertified
    fate = f"No certified code, so not graded: {', '.join(missing)}." if missing else "All have a certified code."
    return TaskRecord(
        id=f"codes/{specification.name}",
        family="codes",
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
        description=f"{config.d_output} clauses on {config.n_inputs} inputs, learnt freely by {config.d_model} "
        f"neurons. A clause has {explanation.neurons:.1f} sign-matched neurons, a neuron serves "
        f"{explanation.sharing:.1f} clauses in the mean; {explanation.share:.0%} of the squared length of the "
        f"directions lies along them. {fate}",
        twins=(Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),),
    )
