"""Tasks of networks that behave alike: each is planted with a formula of one function, or shown the function's outputs.

Every network is certified by itself, with the rival formulas; the task's own then once more with those beside it.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from peabench.certification import Check, certify
from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.mechanism import AlgorithmClaim
from peabench.networks import ResidualMLP
from peabench.networks.config import ResidualMLPConfig
from peabench.tasks import TaskRecord, companion_folder, load_task, save_task
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.dormant import certify_with_dormant
from peabench_tasks.boolean.formulas import Formula
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.boolean.training import MENDING_RATES, mend, plant, sampled_errors
from peabench_tasks.boolean.tutoring import tutor
from peabench_tasks.card import write_certificate
from peabench_tasks.distributive.mechanism import memorised, planted
from peabench_tasks.distributive.memoriser import memorise
from peabench_tasks.distributive.specifications import OWN

STEPS = 300
MENDING_STEPS, MENDING_ROWS = 50, 256
POOLS = 6
"""Of inputs on which a network is tried before it is certified."""
MENDING_ROUNDS = 8
STARTS = 5
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
RIVALS = "rivals"


def as_it_is(network: ResidualMLP, plan: Plan, basis: Tensor) -> ResidualMLP:
    """A planted network, nothing done to it."""
    return network


class Member(Protocol):
    """One of a task's networks, a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """`OWN`, or that of a companion's folder."""

    @property
    def truth(self) -> int | None:
        """Number of the formula that is planted; None: trained on the outputs alone."""

    @property
    def seed(self) -> int:
        """Of places, directions and weights."""


MemberT = TypeVar("MemberT", bound=Member)


@dataclass(frozen=True)
class Networks(Generic[MemberT]):
    """What a family says of the networks of one task."""

    name: str
    """Second part of the task's id."""
    config: ResidualMLPConfig
    """Shape of all of them."""
    formula: Formula
    """The function, in any of its ways."""
    members: tuple[MemberT, ...]
    """The task's own network first."""
    plan: Callable[[MemberT], Plan]
    """Formula and places of a planted one."""
    claim: Callable[[MemberT], AlgorithmClaim]
    """The rival formulas, and which of them holds."""
    record: Callable[[MemberT | None], TaskRecord]
    """What `task.json` says of one network by itself; of None, of the task with all of them."""
    finished: Callable[[ResidualMLP, Plan, Tensor], ResidualMLP] = as_it_is
    """What becomes of a planted network before it is certified, given its plan and planted directions."""


def make_networks(
    networks: Networks[MemberT], out: Path, steps: int = STEPS, lessons: int = 0
) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails.

    What is drawn is the task's own: made alone or with others, it is the same.

    Args:
        networks: of the task.
        out: where its folder goes.
        steps: of the planting recipe's main run.
        lessons: before it, in which each unit learns its gate by itself.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    waiting, problems = [(member, 0) for member in networks.members], list[str]()
    with TemporaryDirectory(dir=out, prefix=f".{networks.name}.") as drafts:
        folder = Path(drafts) / OWN
        for _ in range(STARTS):
            failed = make_members(networks, waiting, folder, steps, lessons)
            waiting = [(member, start + 1) for (member, start), _ in failed]
            problems = [f"{networks.name}, {member.name}: {problem}" for (member, _), problem in failed]
            if not failed:
                break
        if not problems and len(networks.members) > 1:
            problems = finish(networks, folder)
        if not problems:
            shutil.rmtree(out / networks.name, ignore_errors=True)
            folder.rename(out / networks.name)
    return 1, problems


def make_members(
    networks: Networks[MemberT], waiting: Sequence[tuple[MemberT, int]], folder: Path, steps: int, lessons: int
) -> list[tuple[tuple[MemberT, int], str]]:
    """Make networks of a task from one start each; those that do not pass, with what fails.

    Args:
        networks: of the task.
        waiting: those to be made, each with how many starts it had before.
        folder: the task's, in which companions have theirs.
        steps: of the planting recipe's main run.
        lessons: before it.
    """
    drawn = [replace(member, seed=member.seed + 10 * start) for member, start in waiting]
    plans = {member.name: networks.plan(member) for member in drawn if member.truth is not None}
    seeds = [member.seed for member in drawn if member.name in plans]
    failed = list[tuple[tuple[MemberT, int], str]]()
    planted_ones = plant_together(list(plans.values()), seeds, steps, lessons) if plans else []
    planters = dict(zip(plans, planted_ones, strict=True))
    for before, member in zip(waiting, drawn, strict=True):
        record = networks.record(member)
        place = folder if member.name == OWN else companion_folder(folder, member.name)
        claim = networks.claim(member)
        if member.name in plans:
            plan, planter = plans[member.name], planters[member.name]
            problem = finish_planted(record, place, claim, member.seed, plan, planter, networks.finished)
        else:
            problem = make_memoriser(record, place, claim, member.seed, networks)
        if problem is not None:
            failed.append((before, problem))
    return failed


def plant_together(plans: list[Plan], seeds: list[int], steps: int, lessons: int) -> list[Planter]:
    """One planter for each plan, all of them trained at once."""
    targets = Targets.from_plans(plans, seeds)
    networks = [initial_network(plan, targets.basis[i], seeds[i]) for i, plan in enumerate(plans)]
    tables = Tables.from_plans(plans)
    stack = StackedResidualMLP.from_networks(networks)
    planter = Planter(stack, tables, targets, generator_of(seeds[0]), pivotal_weights(tables))
    if lessons:
        tutor(planter, lessons)
    plant(planter, steps)
    return [planter.subset([i]) for i in range(len(plans))]


def finish_planted(
    record: TaskRecord,
    folder: Path,
    claim: AlgorithmClaim,
    seed: int,
    plan: Plan,
    planter: Planter,
    finished: Callable[[ResidualMLP, Plan, Tensor], ResidualMLP],
) -> str | None:
    """Mend and certify one network until every check passes; None, or what still fails."""
    mechanism = planted(plan, planter.targets.basis[0], claim)
    failed = "not certified"
    for attempt in range(MENDING_ROUNDS):
        if int(sampled_errors(planter, POOLS)) == 0 or attempt == MENDING_ROUNDS - 1:
            network = finished(planter.stack.network(0), plan, planter.targets.basis[0])
            checks = certify_with_dormant(folder, record, plan, seed, network, mechanism, {})
            if all(check.passed for check in checks):
                return None
            failed = failures(checks)
            if RIVALS in failed:
                break  # mending does not know of rivals
        mend(planter, MENDING_RATES[attempt % len(MENDING_RATES)], MENDING_STEPS, MENDING_ROWS)
    return failed


def make_memoriser(
    record: TaskRecord, folder: Path, claim: AlgorithmClaim, seed: int, networks: Networks[MemberT]
) -> str | None:
    """Train a network on the outputs alone and certify it; None, or what fails."""
    try:
        network = memorise(networks.formula, networks.config, seed)
    except PeabenchError as error:
        return str(error)
    save_task(folder, record, network, memorised(networks.formula, claim), {})
    checks = certify(load_task(folder))
    if not all(check.passed for check in checks):
        return failures(checks)
    write_certificate(folder, checks)
    return None


def finish(networks: Networks[MemberT], folder: Path) -> list[str]:
    """Tell the task of its companions and certify it together with them; what fails, if anything."""
    task = load_task(folder)
    save_task(folder, networks.record(None), task.network(), task.mechanism, {})
    checks = certify(load_task(folder))
    if not all(check.passed for check in checks):
        return [f"{networks.name}: {failures(checks)}"]
    write_certificate(folder, checks)
    return []


def failures(checks: Sequence[Check]) -> str:
    """The checks that did not pass, in words."""
    return "; ".join(f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed)
