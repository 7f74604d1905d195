"""Plant a task's networks, certify them, write the task folder."""

import logging
import shutil
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path

import torch

from peabench.certification import certify
from peabench.generators import generator_of
from peabench.seeds import seed_of
from peabench.tasks import TaskRecord, Twin, companion_folder, load_task, save_task
from peabench_tasks.audits.answers import learn_answer
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.specification import DIFFICULTY, EXAMPLES, OWN, Member, Specification
from peabench_tasks.card import write_certificate
from peabench_tasks.production import certified_already, certified_folder, make_all, matching
from peabench_tasks.units.assembly import Stream, assemble
from peabench_tasks.units.lessons import Lesson, NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism

STARTS = 5
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""
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
    plan = specification.plan(member, seed, start)
    try:
        known = common_lessons(specification, seed)
        lessons = {variable.name: known[variable.name] for variable in plan.computed if variable.name in known}
        for name in specification.audit.anew:
            lessons[name] = learn(plan, name, generator_of(seed_of(name, plan.seed)), specification.audit.steps)
        lessons[ANSWER] = learn_answer(plan, specification.departing(member, seed, start))
    except NotLearnt as error:
        return str(error)
    stream = Stream.cut(plan)
    audit = specification.audit
    departure = None if member.departs is None else audit.departures[member.departs]
    defects, steering = ((), audit.steering) if departure is None else ((departure.defect,), departure.steering)
    mechanism = build_mechanism(plan, stream, None, defects, steering=steering, align_inputs=audit.align_inputs)
    save_task(folder, task_record(specification, seed, member), assemble(plan, lessons, stream), mechanism, {})
    checks = certify(load_task(folder))
    failed = "; ".join(f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed)
    if failed:
        return failed
    write_certificate(folder, checks)
    return None


@lru_cache(maxsize=1)
def common_lessons(specification: Specification, seed: int) -> dict[str, Lesson]:
    """What each unit computes that networks do not learn anew, the same in all of a task: it tells them not apart.

    Raises:
        NotLearnt: a variable was not learnt.
    """
    found: dict[str, Lesson] = {}
    for member in specification.members(seed):
        plan = specification.plan(member, seed)
        for variable in plan.computed:
            if variable.name not in (*found, *specification.audit.anew, ANSWER):
                generator = generator_of(seed_of("lesson", specification.name, seed, variable.name))
                found[variable.name] = learn(plan, variable.name, generator, specification.audit.steps)
    return found


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
        provenance="planted",
        tracks=() if alone else ("audits",),
        network=audit.network,
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
