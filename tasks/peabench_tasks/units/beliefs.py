"""Tasks of the track `beliefs` put together from units: one variable is the state that is asked about."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from peabench.affine import ridge
from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.mechanism import Beliefs, CausalModel, Mechanism, Readout, TensorReference
from peabench.networks.config import ResidualMLPConfig
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.production import ANEW, write_if_certified
from peabench_tasks.units.assembly import Stream, assemble, written
from peabench_tasks.units.lessons import NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism
from peabench_tasks.units.plan import Plan

SHADOW = "shadow"
"""Name of a second account of the state, which nobody reads."""
BAIT = "the network also keeps an account of the state that nobody reads, twice as strong as its own"
FEW = "scorers get few inputs, and the network also keeps an account of the state that nobody reads"
STARTS = 3
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
ROUNDING = 1e-9
"""Penalty that only keeps the equations from being singular."""


class Specification(Protocol):
    """One task of a family."""

    @property
    def variant(self) -> str:
        """Of the task."""

    @property
    def size(self) -> str:
        """Of the task."""

    @property
    def seed(self) -> int:
        """Of the task."""

    @property
    def name(self) -> str:
        """Second part of the task's id."""

    @property
    def state(self) -> str:
        """The variable that is asked about."""

    @property
    def network(self) -> ResidualMLPConfig:
        """Its shape."""

    @property
    def domain(self) -> ProductDomain:
        """Its inputs."""

    @property
    def examples(self) -> int:
        """Inputs that scorers are shown."""

    @property
    def difficulty(self) -> str:
        """Why the task is hard, in words."""

    @property
    def description(self) -> str:
        """What the network does, and what is asked about, in words."""

    def plan(self, seed: int) -> Plan:
        """Where the variables go."""


def make(specification: Specification, record: TaskRecord, first: int, out: Path) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails.

    Args:
        specification: of the task.
        record: of the task.
        first: seed of the places, directions and weights of its first start.
        out: where task folders go.
    """
    torch.set_num_threads(1)
    problem: str | None = None
    for start in range(STARTS):
        plan = specification.plan(first + ANEW * start)
        problem = _planted(plan, specification.state, record, out)
        if problem is None:
            return 1, []
    return 1, [f"{specification.name}: {problem}"]


def task_record(family: str, specification: Specification, first: int) -> TaskRecord:
    """What `task.json` says of a task.

    Args:
        family: of the task.
        specification: of the task.
        first: seed of its first start.
    """
    return TaskRecord(
        id=f"{family}/{specification.name}",
        family=family,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("beliefs",),
        network=specification.network,
        domain=specification.domain,
        domain_size=specification.domain.size,
        examples=specification.examples,
        difficulty=specification.difficulty,
        description=specification.description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + first),),
    )


def with_shadow(model: CausalModel, state: str) -> CausalModel:
    """The model and a second account of a state."""
    shadow = model.variable(state).model_copy(update={"name": SHADOW})
    return model.model_copy(update={"variables": (*model.variables[:-1], shadow, model.variables[-1])})


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


def _planted(plan: Plan, state: str, record: TaskRecord, out: Path) -> str | None:
    """Write the task of a plan whose network is certified; None, or what is wrong with it."""
    plan = replace(plan, alarm=None)
    generator = generator_of(plan.seed)
    try:
        lessons = {variable.name: learn(plan, variable.name, generator) for variable in plan.computed}
    except NotLearnt as error:
        return str(error)
    stream = Stream.cut(plan)
    mechanism = with_beliefs(build_mechanism(plan, stream, None), plan, stream, state)
    return write_if_certified(out, record, assemble(plan, lessons, stream), mechanism)
