"""Plant each task's network, certify it, write the task folder."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch

from peabench.affine import ridge
from peabench.generators import generator_of
from peabench.mechanism import Beliefs, Mechanism, Readout, TensorReference
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.board.specifications import (
    DIFFICULTY,
    EXAMPLES,
    FAMILY,
    Specification,
    specifications,
)
from peabench_tasks.production import ANEW, make_all, to_make, write_if_certified
from peabench_tasks.units.assembly import Stream, assemble, written
from peabench_tasks.units.lessons import NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism
from peabench_tasks.units.plan import Plan

STARTS = 3
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
ROUNDING = 1e-9
"""Penalty that only keeps the equations from being singular."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.with_companions.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = to_make(FAMILY, specifications(), only, out, resume, partial(task_record, seed=seed))
    make_all(FAMILY, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    first = weight_seed(specification, seed)
    plans = (specification.plan(first + ANEW * start) for start in range(STARTS))
    problem = plant(plans, specification.state, task_record(specification, seed), out)
    return 1, [f"{specification.name}: {problem}"] if problem else []


def plant(plans: Iterable[Plan], state: str, record: TaskRecord, out: Path) -> str | None:
    """Write the task of the first plan whose network is certified; None, or what is wrong with the last one.

    Args:
        plans: of one network after the other.
        state: the variable that is asked about.
        record: of the task.
        out: where task folders go.
    """
    problem: str | None = None
    for plan in plans:
        generator = generator_of(plan.seed)
        try:
            lessons = {variable.name: learn(plan, variable.name, generator) for variable in plan.computed}
        except NotLearnt as error:
            problem = str(error)
            continue
        stream = Stream.cut(plan)
        network = assemble(plan, lessons, stream)
        mechanism = with_beliefs(build_mechanism(plan, stream, None), plan, stream, state)
        problem = write_if_certified(out, record, network, mechanism)
        if problem is None:
            break
    return problem


def with_beliefs(mechanism: Mechanism, plan: Plan, stream: Stream, state: str) -> Mechanism:
    """The mechanism with read-outs of the state, at every site from which all of its readers lie ahead."""
    codes = written(plan, stream, state).double()
    at_each = torch.eye(len(codes), dtype=torch.float64)
    basis = stream.directions(state).double()
    inner = ridge(codes @ basis, at_each, ROUNDING)
    tensors = {"readout.matrix": (basis @ inner.matrix).float().contiguous(), "readout.offset": inner.offset.float()}
    matrix, offset = (TensorReference(name=name, shape=tuple(tensor.shape)) for name, tensor in tensors.items())
    readouts = [Readout(site=f"resid.{site}@0", matrix=matrix, offset=offset) for site in plan.sites(state)]
    beliefs = Beliefs(variable=state, readout=readouts[0], alternatives=tuple(readouts[1:]))
    claimed = mechanism.model_copy(update={"circuit": None, "beliefs": beliefs})
    kept = {reference.name: mechanism.tensor(reference) for _, reference in mechanism.places()}
    return claimed.with_tensors(kept | tensors)


def weight_seed(specification: Specification, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * list(DIFFICULTY).index(specification.variant) + specification.seed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    return TaskRecord(
        id=f"{FAMILY}/{specification.name}",
        family=FAMILY,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("beliefs",),
        network=specification.network,
        domain=specification.domain,
        domain_size=specification.domain.size,
        examples=EXAMPLES[specification.variant],
        difficulty=DIFFICULTY[specification.variant],
        description=f"{specification.description} Asked about: {specification.state}.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed(specification, seed)),),
    )
