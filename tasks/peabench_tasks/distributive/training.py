"""`peabench train distributive`: plant each task's networks, certify them, write the task folder."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from peabench.certification import Check, certify
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.tasks import TaskRecord, Twin, companion_folder, load_task, save_task
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.dormant import certify_with_dormant
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.boolean.training import MENDING_RATES, mend, plant, sampled_errors
from peabench_tasks.card import write_certificate
from peabench_tasks.distributive.hypotheses import claim
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.mechanism import memorised, planted
from peabench_tasks.distributive.memoriser import memorise
from peabench_tasks.distributive.specifications import DIFFICULTY, OWN, Member, Specification, specifications
from peabench_tasks.distributive.strengths import with_strengths
from peabench_tasks.distributive.terms import formula_of
from peabench_tasks.production import certified_already, make_all

STEPS = 300
MENDING_STEPS, MENDING_ROWS = 50, 256
POOLS = 6
"""Of inputs on which a network is tried before it is certified."""
MENDING_ROUNDS = 8
STARTS = 5
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
RIVALS = "rivals"
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("distributive/"))]
    if not wanted:
        raise PeabenchError(f"No task of the distributive family matches {only!r}; try 'plain-xs-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    make_all("distributive", wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails.

    What is drawn is the task's own: made alone or with others, it is the same.
    """
    torch.set_num_threads(1)
    waiting, problems = [(member, 0) for member in specification.members(seed)], list[str]()
    with TemporaryDirectory(dir=out, prefix=f".{specification.name}.") as drafts:
        folder = Path(drafts) / OWN
        for _ in range(STARTS):
            failed = make_members(specification, waiting, folder, seed)
            waiting = [(member, start + 1) for (member, start), _ in failed]
            problems = [f"{specification.name}, {member.name}: {problem}" for (member, _), problem in failed]
            if not failed:
                break
        if not problems:
            problems = finish(folder, specification, seed)
        if not problems:
            shutil.rmtree(out / specification.name, ignore_errors=True)
            folder.rename(out / specification.name)
    return 1, problems


def make_members(
    specification: Specification, waiting: Sequence[tuple[Member, int]], folder: Path, seed: int
) -> list[tuple[tuple[Member, int], str]]:
    """Make networks of a task from one start each; those that do not pass, with what fails.

    Args:
        specification: the task.
        waiting: the networks, each with how many starts it had before.
        folder: the task's, in which companions have theirs.
        seed: of the training.
    """
    drawn = [replace(member, seed=member.seed + 10 * start) for member, start in waiting]
    plans = {member.name: specification.plan(member) for member in drawn if member.truth is not None}
    seeds = [member.seed for member in drawn if member.name in plans]
    failed = list[tuple[tuple[Member, int], str]]()
    planters = dict(zip(plans, plant_together(list(plans.values()), seeds), strict=True)) if plans else {}
    for before, member in zip(waiting, drawn, strict=True):
        record = task_record(specification, seed, member)
        place = folder if member.name == OWN else companion_folder(folder, member.name)
        if member.name in plans:
            problem = finish_planted(specification, record, place, member, plans[member.name], planters[member.name])
        else:
            problem = make_memoriser(specification, record, place, member)
        if problem is not None:
            failed.append((before, problem))
    return failed


def plant_together(plans: list[Plan], seeds: list[int]) -> list[Planter]:
    """One planter for each plan, all of them trained at once."""
    targets = Targets.from_plans(plans, seeds)
    networks = [initial_network(plan, targets.basis[i], seeds[i]) for i, plan in enumerate(plans)]
    tables = Tables.from_plans(plans)
    stack = StackedResidualMLP.from_networks(networks)
    planter = Planter(stack, tables, targets, generator_of(seeds[0]), pivotal_weights(tables))
    plant(planter, STEPS)
    return [planter.subset([i]) for i in range(len(plans))]


def finish_planted(
    specification: Specification, record: TaskRecord, folder: Path, member: Member, plan: Plan, planter: Planter
) -> str | None:
    """Mend and certify one network until every check passes; None, or what still fails."""
    algorithm = claim(specification.table, member.truth, specification.inputs, plan.config.n_inputs)
    mechanism = planted(plan, planter.targets.basis[0], algorithm)
    failed = "not certified"
    for attempt in range(MENDING_ROUNDS):
        if int(sampled_errors(planter, POOLS)) == 0 or attempt == MENDING_ROUNDS - 1:
            network = with_strengths(planter.stack.network(0), plan, planter.targets.basis[0])
            checks = certify_with_dormant(folder, record, plan, member.seed, network, mechanism, {})
            if all(check.passed for check in checks):
                return None
            failed = failures(checks)
            if RIVALS in failed:
                break  # mending does not know of rivals
        mend(planter, MENDING_RATES[attempt % len(MENDING_RATES)], MENDING_STEPS, MENDING_ROWS)
    return failed


def make_memoriser(specification: Specification, record: TaskRecord, folder: Path, member: Member) -> str | None:
    """Train a network on the outputs alone and certify it; None, or what fails."""
    formula = formula_of(TABLES[specification.table][0], specification.inputs, specification.network.n_inputs)
    algorithm = claim(specification.table, None, specification.inputs, specification.network.n_inputs)
    try:
        network = memorise(formula, specification.network, member.seed)
    except PeabenchError as error:
        return str(error)
    save_task(folder, record, network, memorised(formula, algorithm), {})
    checks = certify(load_task(folder))
    if not all(check.passed for check in checks):
        return failures(checks)
    write_certificate(folder, checks)
    return None


def finish(folder: Path, specification: Specification, seed: int) -> list[str]:
    """Tell the task of its companions and certify it together with them; what fails, if anything."""
    task = load_task(folder)
    save_task(folder, task_record(specification, seed), task.network(), task.mechanism, {})
    checks = certify(load_task(folder))
    if not all(check.passed for check in checks):
        return [f"{specification.name}: {failures(checks)}"]
    write_certificate(folder, checks)
    return []


def failures(checks: Sequence[Check]) -> str:
    """The checks that did not pass, in words."""
    return "; ".join(f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed)


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its networks on its own."""
    members = specification.members(seed)
    network = specification.network
    domain = ProductDomain(sizes=(2,) * network.n_inputs)
    name = member.name if member is not None else OWN
    variant = specification.variant if name == OWN else f"{specification.variant}_{name}"
    weight_seed = next(other.seed for other in members if other.name == name)
    return TaskRecord(
        id=f"distributive/{variant}-{specification.size}-{specification.seed}",
        family="distributive",
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted" if member is None or member.truth is not None else "derived",
        tracks=("algorithms", "universality", "circuits", "variables") if name == OWN else (),
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        difficulty=DIFFICULTY[specification.variant],
        description=f"One of {len(TABLES[specification.table])} ways to compute {specification.table}.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed),),
        companions=tuple(sorted(m.name for m in members if m.name != OWN)) if member is None else (),
    )
