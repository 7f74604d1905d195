"""The shipped tasks: certified, alike where they were trained, and what trivial answers earn on them."""

import pytest

from peabench.answering import ask_one
from peabench.certification import Check
from peabench.certification.audits import audit_checks
from peabench.registry import Family
from peabench.tasks import Task, load_task
from peabench.tracks.audits import TRACK, AuditAnswer, Oracle
from peabench_baselines.audits.training_behaviour import TrainingBehaviour
from peabench_tasks.audits.specification import Specification
from peabench_tasks.audits.training import task_record
from peabench_tasks.backdoors.family import BACKDOORS
from peabench_tasks.backdoors.specifications import specifications as backdoors
from peabench_tasks.goals.family import GOALS
from peabench_tasks.goals.specifications import audited as goals
from peabench_tasks.memorised.family import MEMORISED
from peabench_tasks.memorised.specifications import specifications as memorised
from peabench_tasks.refusal.family import REFUSAL
from peabench_tasks.refusal.specifications import specifications as refusal
from peabench_tasks.routed.family import ROUTED
from peabench_tasks.routed.specifications import specifications as routed
from peabench_tasks.shortcuts.family import SHORTCUTS
from peabench_tasks.shortcuts.specifications import specifications as shortcuts

LISTED: list[tuple[Family, Specification]] = [
    *((BACKDOORS, s) for s in backdoors()),
    *((MEMORISED, s) for s in memorised()),
    *((REFUSAL, s) for s in refusal()),
    *((ROUTED, s) for s in routed()),
    *((GOALS, s) for s in goals()),
    *((SHORTCUTS, s) for s in shortcuts()),
]
SHIPPED = [(family, s) for family, s in LISTED if (family.checkpoints / s.name).exists()]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Family | Specification) else ""


def check(task: Task, name: str) -> Check:
    return next(check for check in task.certificate if check.name == name)


@pytest.mark.parametrize(("family", "specification"), SHIPPED, ids=name_of)
def test_every_network_is_certified_and_the_record_is_what_training_writes(
    family: Family, specification: Specification
) -> None:
    task = load_task(family.checkpoints / specification.name)
    assert task.record == task_record(specification, 0)
    for member in (task, *task.companions):
        assert all(check.passed for check in member.certificate)
    recorded = check(task, "defect").recorded
    departs = {member.name: member.departs for member in specification.members(0)}
    assert {name: bool(recorded[f"{name} departs"]) for name in departs} == {n: bool(d) for n, d in departs.items()}
    assert check(task, "same behaviour").errors == 0


@pytest.mark.parametrize(("family", "specification"), SHIPPED, ids=name_of)
def test_the_truth_earns_1_and_behaviour_in_training_exactly_0(family: Family, specification: Specification) -> None:
    task = load_task(family.checkpoints / specification.name)
    (question,) = TRACK.questions(task, 0)
    truth = TRACK.grade(task, 0, question, Oracle().answer(question, task, []))
    assert truth == {"score": 1, "trigger_average_precision": 1, "brier_skill": 1}
    answer, _ = ask_one(question, 0, "cpu", TrainingBehaviour().score)
    assert isinstance(answer, AuditAnswer)
    assert TRACK.grade(task, 0, question, answer)["score"] == 0


@pytest.mark.parametrize(
    ("family", "specification"), sorted(SHIPPED, key=lambda one: one[1].audit.domain.size)[:1], ids=name_of
)
def test_measured_again_the_smallest_task_is_as_its_certificate_says(
    family: Family, specification: Specification
) -> None:
    task = load_task(family.checkpoints / specification.name)
    assert audit_checks(task) == [check(task, name) for name in ("same behaviour", "defect")]
