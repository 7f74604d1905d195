"""The shipped tasks of the family `hmm`: certified, and held to their figures."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from peabench.affine import ridge
from peabench.belief_states import explained, read_at, states, swap_basis
from peabench.interventions import run_with_cache
from peabench.tasks import Task, load_task
from peabench.tracks.beliefs import TRACK, BeliefAnswer, BeliefQuestion, Oracle, certified
from peabench_tasks.hmm.family import HMM
from peabench_tasks.hmm.specifications import Specification, specifications
from peabench_tasks.hmm.training import task_record

SHIPPED = [s for s in specifications() if (HMM.checkpoints / s.name).exists()]
PLANTED = [s for s in SHIPPED if s.planted is not None]


def name_of(specification: Specification) -> str:
    return specification.name


def task_of(specification: Specification) -> Task:
    return load_task(HMM.checkpoints / specification.name)


def held(
    task: Task, question: BeliefQuestion, site: str
) -> tuple[Float[Tensor, "history d_model"], Float[Tensor, "history k"]]:
    """What a site holds on every sequence that can occur, and the exact beliefs."""
    process = task.mechanism.beliefs.process if task.mechanism.beliefs else None
    assert process is not None
    words = process.words(len(question.domain.sizes)).tokens
    rows = read_at(question.network, run_with_cache(question.network, words), site)
    return rows.flatten(0, 1), states(question.tracked, words).flatten(0, 1)


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
    (question,) = TRACK.questions(task, 0)
    (answer,) = certified(task)
    rows, exact = held(task, question, answer.site)
    guess = rows @ answer.matrix.double() + answer.offset.double()
    recorded = {check.name: check.recorded for check in task.certificate}["beliefs"]
    assert explained(exact, guess) > 0.98
    assert recorded[f"{answer.site} R²"] > 0.98
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
    elsewhere = replace(certified(task)[0], site=question.sites[0])
    assert TRACK.grade(task, 0, question, elsewhere)["score"] == 0


@pytest.mark.parametrize("specification", PLANTED, ids=name_of)
def test_behind_its_reader_nothing_earns_more_than_it_moves(specification: Specification) -> None:
    """A read-out of the next token from what decides on it, and of all else from where nobody reads it."""
    task = task_of(specification)
    (question,) = TRACK.questions(task, 0)
    rows, exact = held(task, question, question.sites[-1])
    decides = question.network.get_parameter("w_output").double().diff(dim=1)
    following = specification.process.matrices().sum(2)[1]
    told = (following - following.mean()) / (following - following.mean()).norm()
    rest = ridge(rows, exact - exact @ told[:, None] * told, 1e-6)
    next_token = ridge(rows @ decides, exact @ told[:, None], 1e-6)
    matrix = rest.matrix + decides @ next_token.matrix * told
    offset = (exact - rows @ matrix).mean(0)
    metrics = TRACK.grade(task, 0, question, BeliefAnswer(question.sites[-1], matrix.float(), offset.float()))
    assert metrics["score"] <= max(0, metrics["moved"]) < 0.6


@pytest.mark.parametrize("specification", [s for s in PLANTED if s.decoy], ids=name_of)
def test_a_decoy_holds_the_belief_and_earns_nothing(specification: Specification) -> None:
    task = task_of(specification)
    (question,) = TRACK.questions(task, 0)
    (truth,) = certified(task)
    rows, exact = held(task, question, truth.site)
    used = swap_basis(truth.matrix).double()
    bait = ridge(rows - rows @ used @ used.T, exact, 1e-6)
    matrix = bait.matrix - used @ used.T @ bait.matrix
    metrics = TRACK.grade(task, 0, question, BeliefAnswer(truth.site, matrix.float(), bait.offset.float()))
    assert metrics["r2"] > 0.95
    assert metrics["moved"] < 0.2
    assert metrics["score"] == 0
