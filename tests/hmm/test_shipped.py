"""The shipped tasks of the family `hmm`: certified, and held to their figures."""

import pytest
import torch

from peabench.belief_states import explained, read_at
from peabench.interventions import run_with_cache
from peabench.tasks import Task, load_task
from peabench.tracks.beliefs import TRACK, BeliefAnswer, Oracle, certified
from peabench_tasks.hmm.family import HMM
from peabench_tasks.hmm.specifications import Specification, specifications
from peabench_tasks.hmm.training import task_record

SHIPPED = [s for s in specifications() if (HMM.checkpoints / s.name).exists()]


def name_of(specification: Specification) -> str:
    return specification.name


def task_of(specification: Specification) -> Task:
    return load_task(HMM.checkpoints / specification.name)


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_shipped_tasks_are_certified_and_their_records_are_what_training_writes(specification: Specification) -> None:
    task = task_of(specification)
    assert task.record == task_record(specification, 0)
    checks = {check.name: check for check in task.certificate}
    assert set(checks) == {"behaviour", "beliefs", "belief swap"}
    assert all(check.passed and check.exhaustive for check in checks.values())


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_the_belief_is_read_as_well_as_the_certificate_says(specification: Specification) -> None:
    task = task_of(specification)
    words = specification.process.words(specification.length).tokens
    (answer,) = certified(task)
    network = task.network()
    rows = read_at(network, run_with_cache(network, words), answer.site)
    guess = rows @ answer.matrix.double() + answer.offset.double()
    exact = specification.process.beliefs(words)
    found = explained(exact.flatten(0, 1), guess.flatten(0, 1))
    assert found > 0.98
    assert torch.allclose(guess.sum(-1), torch.ones((), dtype=torch.float64), atol=0.05)


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_the_truth_earns_1_but_of_mess3_where_nothing_is_above_the_controls(specification: Specification) -> None:
    task = task_of(specification)
    (question,) = TRACK.questions(task, 0)
    metrics = TRACK.grade(task, 0, question, Oracle().answer(question, task, []))
    if specification.variant == "mess3":
        assert metrics["control"] > 0.99
        assert metrics["score"] < 0.1
    else:
        assert metrics["control"] < 0.8
        assert metrics["score"] == 1
    if specification.stays:
        behind = BeliefAnswer("resid.3@*", certified(task)[0].matrix, certified(task)[0].offset)
        found = TRACK.grade(task, 0, question, behind)
        assert found["r2"] > 0.9
        assert found["moved"] < 0.2
        assert found["score"] == 0
    other = BeliefAnswer("resid.0@*", certified(task)[0].matrix, certified(task)[0].offset)
    assert TRACK.grade(task, 0, question, other)["score"] == 0
