"""`peabench train codes`: train freely, read the codes off, certify, write the task folders."""

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
from peabench_tasks.codes.clauses import literal_matrix
from peabench_tasks.codes.free_training import train_freely
from peabench_tasks.codes.mechanism import Explanation, explain
from peabench_tasks.codes.specifications import EXAMPLES, SIZES, VARIANTS, Specification, specifications
from peabench_tasks.production import certified_folder, make_all, write_if_certified

STARTS = 3
"""How often a network begins anew, from other weights, before its task is given up."""
FEWEST_CERTIFIED = 0.75
"""Share of the clauses that must have a certified code."""

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, those of one shape at once; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("codes/"))]
    if not wanted:
        raise PeabenchError(f"No task of the codes family matches {only!r}; try 'pairs-s-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_folder(out / s.name)]
    out.mkdir(parents=True, exist_ok=True)
    make_all("codes", list(_groups(wanted)), partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def _groups(wanted: Sequence[Specification]) -> Iterator[list[Specification]]:
    """Groups of one network shape and domain."""
    by_shape = sorted(wanted, key=lambda s: (list(SIZES).index(s.size), VARIANTS[s.variant].narrow, s.n_inputs))
    for _, group in groupby(by_shape, key=lambda s: (s.network, s.domain)):
        yield list(group)


def make_tasks(group: Sequence[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Train, certify and write the tasks of one shape; how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    remaining, problems = list(group), list[str]()
    for start in range(STARTS):
        literals = torch.stack([literal_matrix(s.clauses(seed), s.n_inputs) for s in remaining])
        seeds = remaining[0].weight_seed(seed) + 100_000 * start
        networks = train_freely(group[0].network, literals, group[0].domain, seeds)
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
