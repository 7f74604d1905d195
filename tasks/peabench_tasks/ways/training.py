"""Plant each task's networks, certify them, write the task folder."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from peabench.domain import ProductDomain
from peabench.tasks import TaskRecord
from peabench_tasks.production import certified_already
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.making import LESSONS, finish_planted, make_memoriser, plant_together
from peabench_tasks.ways.specification import DIFFICULTY, Member, Specification
from peabench_tasks.ways.terms import formula_of
from peabench_tasks.with_companions import folder_of, record_of
from peabench_tasks.with_companions import train as train_with_companions

STARTS = 8
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""

BeginMembers = Callable[[Specification, Sequence[Member], Path, int, int], list[str]]

log = logging.getLogger(__name__)


def begin_members(
    specification: Specification, waiting: Sequence[Member], draft: Path, seed: int, start: int
) -> list[str]:
    """Make networks of a task from one start each; what fails of those that do not pass.

    Args:
        specification: of the task.
        waiting: those to be made.
        draft: the task's folder, in which companions have theirs.
        seed: as in `train`.
        start: how many starts they had before.
    """
    ways, inputs = specification.ways, specification.inputs
    drawn = [replace(member, seed=member.seed + 10 * start) for member in waiting]
    plans = {member.name: specification.plan(member) for member in drawn if member.truth is not None}
    seeds = [member.seed for member in drawn if member.name in plans]
    lessons = LESSONS * (start + 1)
    planters = dict(zip(plans, plant_together(list(plans.values()), seeds, lessons) if plans else [], strict=True))
    problems = []
    for as_listed, member in zip(waiting, drawn, strict=True):
        record, folder = task_record(specification, seed, as_listed), folder_of(member, draft)
        claimed = claim(ways, member.truth, inputs, specification.n_inputs)
        if member.name in plans:
            plan, planter = plans[member.name], planters[member.name]
            problem = finish_planted(record, folder, claimed, member.seed, plan, planter)
        else:
            formula = formula_of(ways[0], inputs, specification.n_inputs)
            problem = make_memoriser(record, folder, claimed, member.seed, formula, specification.residual_mlp)
        if problem is not None:
            problems.append(f"{specification.name}, {member.name}: {problem}")
    return problems


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    *,
    listed: Callable[[], Iterable[Specification]],
    begun_by: BeginMembers = begin_members,
) -> None:
    """As `peabench_tasks.with_companions.train`; `begun_by` makes networks of a task from one start each."""
    making = partial(make_networks, begun_by=begun_by)
    train_with_companions(out, only, seed, progress, resume, listed=listed, record=task_record, make_networks=making)


def make_networks(specification: Specification, draft: Path, seed: int, begun_by: BeginMembers) -> list[str]:
    """Make a task's networks, those that do not pass from other starts, and its own after the others; what fails.

    What is drawn is the task's own: made alone, with others or after an interruption, it is as good.
    """
    own, *companions = specification.members(seed)
    problems = make_members(specification, companions, draft, seed, begun_by)
    return problems or make_members(specification, [own], draft, seed, begun_by)


def make_members(
    specification: Specification,
    members: Sequence[Member],
    draft: Path,
    seed: int,
    begun_by: BeginMembers,
) -> list[str]:
    """Make networks of a task, those that do not pass from other starts; what fails in the end."""
    waiting, problems = list(members), list[str]()
    for start in range(STARTS):
        waiting = [
            member
            for member in waiting
            if not certified_already(task_record(specification, seed, member), folder_of(member, draft))
        ]
        problems = begun_by(specification, waiting, draft, seed, start)
        if not problems:
            break
        log.warning("start %d: %s", start + 1, "; ".join(problems))
    return problems


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of a companion."""
    members = specification.members(seed)
    return record_of(
        specification,
        members,
        member,
        provenance="derived" if (member or members[0]).truth is None else "planted",
        tracks=("algorithms", "universality", "circuits", "variables"),
        network=specification.network,
        domain=ProductDomain(sizes=(2,) * specification.n_inputs),
        difficulty=DIFFICULTY[specification.variant],
        description=specification.description,
    )
