"""The family `board`: its game, and its shipped tasks."""

from itertools import product

import pytest
import torch

from peabench.certification import certify
from peabench.tasks import Task, load_task
from peabench.tracks.beliefs import TRACK, BeliefAnswer, Oracle, certified
from peabench_baselines.beliefs.linear_probe import LinearProbe
from peabench_tasks.board.cups import EXCHANGES, cups_and_ball
from peabench_tasks.board.family import BOARD
from peabench_tasks.board.specifications import Specification, specifications
from peabench_tasks.board.training import task_record

SHIPPED = [s for s in specifications() if (BOARD.checkpoints / s.name).exists()]


def name_of(specification: Specification) -> str:
    return specification.name


def task_of(specification: Specification) -> Task:
    return load_task(BOARD.checkpoints / specification.name)


def test_the_ball_goes_with_its_cup() -> None:
    model = cups_and_ball()
    rows = torch.tensor(list(product(range(3), repeat=5)))
    run = model.run(model.read_inputs(rows))
    for row, last in zip(rows.tolist(), run[model.output].tolist(), strict=True):
        cups = [cup == row[0] for cup in range(3)]
        for move in row[1:]:
            one, other = EXCHANGES[move]
            cups[one], cups[other] = cups[other], cups[one]
        assert cups.index(True) == last


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_shipped_tasks_are_certified_and_their_records_are_what_training_writes(specification: Specification) -> None:
    task = task_of(specification)
    assert task.record == task_record(specification, 0)
    checks = {check.name: check for check in task.certificate}
    assert all(check.passed for check in checks.values())
    assert checks["beliefs"].errors == checks["belief swap"].errors == 0
    assert ("decoys" in checks) == bool(specification.difficulty)


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_the_truth_earns_1_wherever_it_is_certified_and_0_behind_its_readers(specification: Specification) -> None:
    task = task_of(specification)
    (question,) = TRACK.questions(task, 0)
    assert TRACK.grade(task, 0, question, Oracle().answer(question, task, []))["score"] == pytest.approx(1, abs=1e-3)
    for answer in certified(task):
        assert TRACK.grade(task, 0, question, answer)["score"] > 0.99
    last = BeliefAnswer(question.sites[-1], certified(task)[0].matrix, certified(task)[0].offset)
    metrics = TRACK.grade(task, 0, question, last)
    assert metrics["r2"] > 0.99
    assert metrics["score"] == 0


def test_a_certificate_is_measured_again() -> None:
    task = task_of(SHIPPED[0])
    for stored, now in zip(task.certificate, certify(task), strict=True):
        assert (stored.name, stored.cases, stored.errors) == (now.name, now.cases, now.errors)


def test_least_squares_read_the_state_where_nobody_uses_it() -> None:
    task = task_of(SHIPPED[0])
    (question,) = TRACK.questions(task, 0)
    metrics = TRACK.grade(task, 0, question, LinearProbe().score(question))
    assert metrics["r2"] > 0.99
    assert metrics["score"] == 0
