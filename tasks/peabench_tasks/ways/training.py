"""Plant each task's networks, certify them by themselves and together, write the task folder."""

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from peabench.certification import certify
from peabench.domain import ProductDomain
from peabench.tasks import TaskRecord, Twin, companion_folder, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.production import certified_already, certified_folder, make_all, matching
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.making import failures, finish_planted, make_memoriser, plant_together
from peabench_tasks.ways.specification import DIFFICULTY, EXAMPLES, OWN, Member, Specification
from peabench_tasks.ways.terms import formula_of

STARTS = 8
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
DRAFTS = ".drafts"
"""Folder of tasks of which not all networks are certified yet."""

MakeMembers = Callable[[Specification, Sequence[Member], Path, int, int], list[str]]

log = logging.getLogger(__name__)


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    *,
    listed: Callable[[], Iterable[Specification]],
    made_by: MakeMembers | None = None,
) -> None:
    """Make a family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks, and the networks of unfinished ones, whose certificate stands in `out` already.
        listed: the family's tasks.
        made_by: makes networks of a task from one start each; None is `make_members`.

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
    make_all(known[0].family, wanted, partial(make, out=out, seed=seed, made_by=made_by), progress, len(wanted))


def make(
    specification: Specification, out: Path, seed: int, made_by: MakeMembers | None = None
) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails.

    What is drawn is the task's own: made alone, with others or after an interruption, it is as good.

    Args:
        specification: of the task.
        out: where its folder goes.
        seed: as in `train`.
        made_by: as in `train`.
    """
    torch.set_num_threads(1)
    name, draft = specification.name, out / DRAFTS / specification.name
    waiting, problems = list(specification.members(seed)), list[str]()
    for start in range(STARTS):
        waiting = [member for member in waiting if not certified_folder(folder_of(member, draft))]
        problems = [
            f"{name}, {failed}" for failed in (made_by or make_members)(specification, waiting, draft, seed, start)
        ]
        if not problems:
            break
        log.warning("start %d: %s", start + 1, "; ".join(problems))
    if not problems:
        problems = finish(specification, draft, seed)
    if not problems:
        shutil.rmtree(out / name, ignore_errors=True)
        draft.rename(out / name)
    return 1, problems


def folder_of(member: Member, draft: Path) -> Path:
    """Where a task's network goes, companions into folders of the task's."""
    return draft if member.name == OWN else companion_folder(draft, member.name)


def make_members(
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
    planters = dict(zip(plans, plant_together(list(plans.values()), seeds) if plans else [], strict=True))
    problems = []
    for member in drawn:
        record, folder = task_record(specification, seed, member), folder_of(member, draft)
        claimed = claim(ways, member.truth, inputs, specification.n_inputs)
        if member.name in plans:
            plan, planter = plans[member.name], planters[member.name]
            problem = finish_planted(record, folder, claimed, member.seed, plan, planter)
        else:
            formula = formula_of(ways[0], inputs, specification.n_inputs)
            problem = make_memoriser(record, folder, claimed, member.seed, formula, specification.residual_mlp)
        if problem is not None:
            problems.append(f"{member.name}: {problem}")
    return problems


def finish(specification: Specification, folder: Path, seed: int) -> list[str]:
    """Tell the task of its companions and certify it together with them; what fails, if anything."""
    task = load_task(folder)
    save_task(folder, task_record(specification, seed), task.network(), task.mechanism, {})
    checks = certify(load_task(folder))
    if not all(check.passed for check in checks):
        return [f"{specification.name}: {failures(checks)}"]
    write_certificate(folder, checks)
    return []


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its networks by itself."""
    own, *companions = specification.members(seed)
    network = specification.network
    domain = ProductDomain(sizes=(2,) * specification.n_inputs)
    name = member.name if member is not None else OWN
    variant = specification.variant if name == OWN else f"{specification.variant}_{name}"
    drawn = next(other for other in (own, *companions) if other.name == name)
    return TaskRecord(
        id=f"{specification.family}/{variant}-{specification.size}-{specification.seed}",
        family=specification.family,
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted" if drawn.truth is not None else "derived",
        tracks=("algorithms", "universality", "circuits", "variables") if name == OWN else (),
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=EXAMPLES,
        difficulty=DIFFICULTY[specification.variant],
        description=specification.description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + drawn.seed),),
        companions=tuple(sorted(other.name for other in companions)) if member is None else (),
    )
