"""What policies want: the rule, its departures, and swaps of the goal in shipped networks."""

import pytest
import torch

from peabench.mechanism import ProxyGoal
from peabench.tasks import Task, load_task
from peabench.tracks.beliefs import TRACK as BELIEFS
from peabench.tracks.beliefs import BeliefAnswer, Oracle
from peabench_tasks.goals.beliefs import GOAL, Wanted, policy
from peabench_tasks.goals.boards import TARGET
from peabench_tasks.goals.family import GOALS
from peabench_tasks.goals.specifications import LOOP, audited, wanted
from peabench_tasks.goals.swaps import goal_of, swapped
from peabench_tasks.goals.training import task_record

SHIPPED = [s for s in wanted() if (GOALS.checkpoints / s.name).exists()]


def name_of(specification: Wanted) -> str:
    return specification.name


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(GOALS.checkpoints / "open-xs-0")


def test_policies_go_where_they_should_and_where_they_should_not() -> None:
    """On every board, by the planner itself."""
    audit = next(audited()).audit
    rows = audit.domain.all()
    agent, red, blue, lamp, flag, night = rows.T
    named = torch.where(lamp == 1, blue, red)
    wanted = {None: named, "flag": flag, "night": torch.where(night == 1, flag, named)}
    for departs, cells in wanted.items():
        model = audit.model(departs)
        moves = [LOOP.move(one, other) for one, other in zip(agent.tolist(), cells.tolist(), strict=True)]
        assert model.run(model.read_inputs(rows))[model.output].tolist() == moves


def test_of_three_objects_a_policy_goes_for_the_one_that_lamp_and_dial_name() -> None:
    model = policy(LOOP)
    rows = next(wanted()).domain.all()[::7]
    run = model.run(model.read_inputs(rows))
    moves = []
    for agent, red, blue, green, lamp, dial in rows.tolist():
        moves.append(LOOP.move(agent, [red, blue, green, red, blue][lamp + dial]))
    assert run[model.output].tolist() == moves
    assert run[GOAL].tolist() == ((rows[:, 4] + rows[:, 5]) % 3).tolist()


def test_every_proxy_is_pursued_by_the_goal_that_the_answer_reads() -> None:
    for specification in audited():
        audit = specification.audit
        goal = audit.model(None).variable(goal_of(audit.model(None)))
        assert TARGET in ((goal.name, *goal.parents) if specification.variant == "vacuous" else (goal.name,))
        for name, departure in audit.departures.items():
            assert isinstance(departure.defect, ProxyGoal)
            assert departure.defect.goal == goal_of(audit.model(name))


def test_a_swapped_goal_makes_policies_go_for_every_other_object_on_every_board(task: Task) -> None:
    """Three objects, of which two or fewer stand elsewhere than where it wants to go."""
    departing = next(one for one in task.companions if one.mechanism.defects)
    for member in (task, departing):
        swaps = swapped(member)
        assert swaps.right == swaps.cases > 16384
        assert swaps.random < 0.8 * swaps.cases


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_tasks_of_beliefs_are_certified_and_behind_its_readers_the_goal_earns_nothing(specification: Wanted) -> None:
    task = load_task(GOALS.checkpoints / specification.name)
    assert task.record == task_record(specification, 0)
    assert all(check.passed for check in task.certificate)
    (question,) = BELIEFS.questions(task, 0)
    truth = Oracle().answer(question, task, [])
    assert BELIEFS.grade(task, 0, question, truth)["score"] == pytest.approx(1, abs=1e-4)
    dead = BeliefAnswer(question.sites[-1], truth.matrix, truth.offset)
    metrics = BELIEFS.grade(task, 0, question, dead)
    assert metrics["r2"] > 0.99
    assert metrics["score"] == 0
