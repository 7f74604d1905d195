"""Plant each task's networks, certify them, write the task folder."""

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from peabench.domain import ProductDomain
from peabench.tasks import TaskRecord, Twin, companion_folder
from peabench_tasks.production import certified_already, make_all, matching
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.making import LESSONS, finish_planted, make_memoriser, plant_together
from peabench_tasks.ways.specification import DIFFICULTY, EXAMPLES, OWN, Member, Specification
from peabench_tasks.ways.terms import formula_of

STARTS = 8
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
DRAFTS = ".drafts"
"""Folder of tasks of which not all networks are certified yet."""

BeginMembers = Callable[[Specification, Sequence[Member], Path, int, int], list[str]]

log = logging.getLogger(__name__)


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    *,
    listed: Callable[[], Iterable[Specification]],
    begun_by: BeginMembers | None = None,
) -> None:
    """Make a family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks, and the networks of unfinished ones, whose certificate stands in `out` already.
        listed: the family's tasks.
        begun_by: makes networks of a task from one start each; None is `begin_members`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    known = list(listed())
    wanted = matching(known[0].family, known, only)
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    else:
        for specification in wanted:
            shutil.rmtree(out / DRAFTS / specification.name, ignore_errors=True)
    make_all(known[0].family, wanted, partial(make, out=out, seed=seed, begun_by=begun_by), progress, len(wanted))


def make(
    specification: Specification, out: Path, seed: int, begun_by: BeginMembers | None = None
) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails.

    What is drawn is the task's own: made alone, with others or after an interruption, it is as good.

    Args:
        specification: of the task.
        out: where its folder goes.
        seed: as in `train`.
        begun_by: as in `train`.
    """
    torch.set_num_threads(1)
    draft = out / DRAFTS / specification.name
    own, *companions = specification.members(seed)
    problems = make_members(specification, companions, draft, seed, begun_by)
    problems = problems or make_members(specification, [own], draft, seed, begun_by)
    if not problems:
        shutil.rmtree(out / specification.name, ignore_errors=True)
        draft.rename(out / specification.name)
    return 1, problems


def make_members(
    specification: Specification,
    members: Sequence[Member],
    draft: Path,
    seed: int,
    begun_by: BeginMembers | None = None,
) -> list[str]:
    """Make networks of a task, those that do not pass from other starts; what fails in the end."""
    waiting, problems = list(members), list[str]()
    for start in range(STARTS):
        waiting = [
            member
            for member in waiting
            if not certified_already(task_record(specification, seed, member), folder_of(member, draft))
        ]
        problems = (begun_by or begin_members)(specification, waiting, draft, seed, start)
        if not problems:
            break
        log.warning("start %d: %s", start + 1, "; ".join(problems))
    return problems


def folder_of(member: Member, draft: Path) -> Path:
    """Where a task's network goes, companions into folders of the task's."""
    return draft if member.name == OWN else companion_folder(draft, member.name)


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


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of a companion."""
    own, *companions = specification.members(seed)
    drawn = member or own
    alone = drawn.name != OWN
    network = specification.network
    domain = ProductDomain(sizes=(2,) * specification.n_inputs)
    variant = f"{specification.variant}_{drawn.name}" if alone else specification.variant
    return TaskRecord(
        id=f"{specification.family}/{variant}-{specification.size}-{specification.seed}",
        family=specification.family,
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted" if drawn.truth is not None else "derived",
        tracks=() if alone else ("algorithms", "universality", "circuits", "variables"),
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=EXAMPLES,
        difficulty=DIFFICULTY[specification.variant],
        description=specification.description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + drawn.seed),),
        companions=() if alone else tuple(sorted(companion.name for companion in companions)),
    )
