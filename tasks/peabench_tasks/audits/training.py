"""Make a task's networks, certify them, write the task folder."""

import logging
import shutil
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.certification import certify
from peabench.columns import every_input, holds
from peabench.generators import generator_of
from peabench.mechanism import Mechanism
from peabench.networks import ResidualMLP
from peabench.seeds import seed_of
from peabench.tasks import TaskRecord, Twin, companion_folder, load_task, save_task
from peabench_tasks.audits.answers import learn_answer, unsettled
from peabench_tasks.audits.audit import ANSWER, Audit
from peabench_tasks.audits.free_training import free_network, learn_freely
from peabench_tasks.audits.representations import learn_drawn
from peabench_tasks.audits.specification import DIFFICULTY, EXAMPLES, OWN, Member, Specification
from peabench_tasks.card import write_certificate
from peabench_tasks.production import certified_already, certified_folder, make_all, matching
from peabench_tasks.units.assembly import Stream, assemble
from peabench_tasks.units.lessons import Lesson, NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism

STARTS = 5
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
SHOWN = 65_536
"""Inputs on which what was trained together is looked at by the units that read it."""
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""
DRAFTS = ".drafts"
"""Folder of tasks of which not all networks are certified yet."""

log = logging.getLogger(__name__)


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    *,
    listed: Callable[[], Iterable[Specification]],
) -> None:
    """Make a family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks, and the companions of unfinished ones, whose certificate stands in `out` already.
        listed: the family's tasks.

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
    make_all(known[0].family, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails.

    What is drawn is each network's own: made alone, with others or after an interruption, it is the same.
    """
    torch.set_num_threads(1)
    draft = out / DRAFTS / specification.name
    own, *companions = specification.members(seed)
    for member in (*companions, own):
        folder = draft if member.name == OWN else companion_folder(draft, member.name)
        if certified_folder(folder):
            continue
        problem = make_member(specification, member, folder, seed)
        if problem is not None:
            return 1, [f"{specification.name}, {member.name}: {problem}"]
    shutil.rmtree(out / specification.name, ignore_errors=True)
    draft.rename(out / specification.name)
    return 1, []


def make_member(specification: Specification, member: Member, folder: Path, seed: int) -> str | None:
    """Plant and certify one network, beginning anew until every check passes; None, or what fails."""
    problem = None
    for start in range(STARTS):
        problem = begin(specification, member, folder, seed, start)
        if problem is None:
            return None
        log.warning("%s, %s, start %d: %s", specification.name, member.name, start + 1, problem)
    return problem


def begin(specification: Specification, member: Member, folder: Path, seed: int, start: int) -> str | None:
    """One start of a network; None if it is certified, or what fails."""
    try:
        if specification.freely:
            generator = generator_of(seed_of("free", specification.name, seed, member.seed + start))
            network, mechanism = learn_freely(specification.audit, member.departs, generator)
        else:
            network, mechanism = plant(specification, member, seed, start)
    except NotLearnt as error:
        return str(error)
    save_task(folder, task_record(specification, seed, member), network, mechanism, {})
    checks = certify(load_task(folder))
    failed = "; ".join(f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed)
    if failed:
        return failed
    write_certificate(folder, checks)
    return None


def plant(specification: Specification, member: Member, seed: int, start: int) -> tuple[ResidualMLP, Mechanism]:
    """A network put together from units, and the mechanism that is planted.

    Raises:
        NotLearnt: a variable was not learnt.
    """
    plan, audit = specification.plan(member, seed, start), specification.audit
    known = common_lessons(specification, seed)
    lessons = {variable.name: known[variable.name] for variable in plan.computed if variable.name in known}
    for name in sorted(audit.anew):
        lessons[name] = learn(plan, name, generator_of(seed_of(name, plan.seed)), audit.steps)
    if audit.together:
        lessons[ANSWER] = learn_drawn(plan, ANSWER, lessons, shown(audit), generator_of(plan.seed))
    else:
        lessons[ANSWER] = learn_answer(plan, specification.departing(member, seed, start))
    lessons[ANSWER] = unsettled(lessons[ANSWER], generator_of(seed_of(ANSWER, plan.seed)))
    stream = Stream.cut(plan)
    departure = None if member.departs is None else audit.departures[member.departs]
    defects, steering = ((), audit.steering) if departure is None else ((departure.defect,), departure.steering)
    mechanism = build_mechanism(plan, stream, None, defects, steering=steering, align_inputs=audit.align_inputs)
    return assemble(plan, lessons, stream), mechanism


@lru_cache(maxsize=1)
def common_lessons(specification: Specification, seed: int) -> dict[str, Lesson]:
    """What each unit computes that networks do not learn anew, the same in all of a task: it tells them not apart.

    Raises:
        NotLearnt: a variable was not learnt.
    """
    found: dict[str, Lesson] = {}
    audit = specification.audit
    for member in specification.members(seed):
        plan = specification.plan(member, seed)
        for variable in plan.computed:
            if variable.name in (*found, *audit.anew, ANSWER):
                continue
            generator = generator_of(seed_of("lesson", specification.name, seed, variable.name))
            if variable.name in audit.together:
                found |= audit.together[variable.name](plan, generator)
            elif audit.together:
                found[variable.name] = learn_drawn(plan, variable.name, found, shown(audit), generator)
            else:
                found[variable.name] = learn(plan, variable.name, generator, audit.steps)
    return found


@lru_cache(maxsize=1)
def shown(audit: Audit) -> Int[Tensor, "row column"]:
    """Inputs on which units that read what was trained together see it: some, and all off the training distribution."""
    off = [rows[~holds([audit.training], rows, audit.domain)[0]] for rows in every_input(audit.domain)]
    return torch.cat([audit.domain.sample(SHOWN, generator_of(0)), *off])


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its companions."""
    own, *companions = specification.members(seed)
    member = member or own
    audit, alone = specification.audit, member.name != OWN
    variant = f"{specification.variant}_{member.name}" if alone else specification.variant
    return TaskRecord(
        id=f"{specification.family}/{variant}-{specification.size}-{specification.seed}",
        family=specification.family,
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="derived" if specification.freely else "planted",
        tracks=() if alone else ("audits",),
        network=free_network(audit) if specification.freely else audit.network,
        domain=audit.domain,
        domain_size=audit.domain.size,
        examples=EXAMPLES,
        difficulty=DIFFICULTY[specification.variant],
        description=audit.description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + member.seed),),
        companions=() if alone else tuple(sorted(companion.name for companion in companions)),
        training=audit.training,
        cues=() if alone else audit.cues,
    )
