"""Put a task's transformers together and certify each by itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from peabench.generators import generator_of
from peabench.tasks import TaskRecord
from peabench_tasks.distributive.attending.assembly import assemble, cut, learn_gate
from peabench_tasks.distributive.attending.mechanism import build_mechanism
from peabench_tasks.distributive.attending.specifications import Attending
from peabench_tasks.production import certify_in
from peabench_tasks.units.lessons import NotLearnt
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.specification import Member
from peabench_tasks.ways.training import task_record
from peabench_tasks.with_companions import folder_of


def begin_transformers(
    specification: Attending, waiting: Sequence[Member], draft: Path, seed: int, start: int
) -> list[str]:
    """Make networks of a task from one start each; see `peabench_tasks.ways.training.begin_members`."""
    problems = []
    for member in waiting:
        drawn = replace(member, seed=member.seed + 10 * start)
        record = task_record(specification, seed, member)
        problem = make_transformer(record, folder_of(member, draft), specification, drawn)
        if problem is not None:
            problems.append(f"{specification.name}, {member.name}: {problem}")
    return problems


def make_transformer(record: TaskRecord, folder: Path, specification: Attending, member: Member) -> str | None:
    """Put one network together and certify it; None, or what fails."""
    plan = specification.transformer_plan(member)
    generator = generator_of(plan.seed)
    try:
        lessons = {gate.name: learn_gate(plan, gate, generator) for gate in plan.formula.gates[:-1]}
    except NotLearnt as error:
        return str(error)
    stream = cut(plan)
    claimed = claim(specification.ways, member.truth, specification.inputs, specification.n_inputs)
    mechanism, network = build_mechanism(plan, stream, claimed), assemble(plan, lessons, stream)
    return certify_in(folder, record, network, mechanism)
