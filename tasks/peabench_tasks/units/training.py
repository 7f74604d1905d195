"""Plant a task's networks, certify them, write the task folder."""

from functools import partial
from pathlib import Path

from peabench.generators import generator_of
from peabench.tasks import TaskRecord
from peabench_tasks.margins import set_margin
from peabench_tasks.production import certify_in
from peabench_tasks.units.algorithm import claim
from peabench_tasks.units.assembly import Stream, assemble
from peabench_tasks.units.lessons import NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism
from peabench_tasks.units.specification import Member, Specification
from peabench_tasks.with_companions import one_by_one, record_of
from peabench_tasks.with_companions import train as train_with_companions

STARTS = 5
"""How often a network begins anew, from other places, weights and directions, before its task is given up."""


def make_networks(specification: Specification, draft: Path, seed: int) -> list[str]:
    """Make a task's networks; what fails.

    What is drawn is each network's own: made alone, with others or after an interruption, it is the same.
    """
    begin_one = partial(begin, specification, seed)
    return one_by_one(specification.name, specification.members(seed), draft, STARTS, begin_one)


def begin(specification: Specification, seed: int, member: Member, folder: Path, start: int) -> str | None:
    """One start of a network; None if it is certified, or what fails."""
    plan = specification.plan(member, start)
    generator = generator_of(plan.seed)
    try:
        lessons = {variable.name: learn(plan, variable.name, generator) for variable in plan.computed}
    except NotLearnt as error:
        return str(error)
    stream = Stream.cut(plan)
    mechanism = build_mechanism(plan, stream, claim(specification.question.algorithms, member.truth))
    network = assemble(plan, lessons, stream)
    set_margin(network, specification.question.domain)
    return certify_in(folder, task_record(specification, seed, member), network, mechanism)


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its companions."""
    question = specification.question
    return record_of(
        specification,
        specification.members(seed),
        member,
        provenance="planted",
        tracks=("algorithms", "universality"),
        network=question.network,
        domain=question.domain,
        difficulty=specification.difficulty,
        description=question.description,
    )


train = partial(train_with_companions, record=task_record, make_networks=make_networks)
