"""The shipped tasks: certified, of one behaviour with their companions, and as different as they say."""

import pytest
import torch

from peabench.certification import Check
from peabench.interventions import run_with_cache
from peabench.tasks import Task, load_task
from peabench.tracks import algorithms, universality
from peabench.tracks.algorithms import AlgorithmAnswer
from peabench.tracks.universality import UniversalityAnswer
from peabench_tasks.tracking.family import TRACKING
from peabench_tasks.tracking.specifications import specifications
from peabench_tasks.units.specification import Specification
from peabench_tasks.units.training import task_record

SPECIFICATIONS = [s for s in specifications() if (TRACKING.checkpoints / s.name).exists()]


def name_of(specification: Specification) -> str:
    return specification.name


def task_of(specification: Specification) -> Task:
    return load_task(TRACKING.checkpoints / specification.name)


def check(task: Task, name: str) -> Check:
    return next(check for check in task.certificate if check.name == name)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_every_network_is_certified_and_the_record_is_what_training_writes(specification: Specification) -> None:
    task = task_of(specification)
    assert task.record == task_record(specification, 0)
    for member in (task, *task.companions):
        assert all(check.passed for check in member.certificate)
    assert check(task, "same behaviour").errors == 0


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_rivals_are_wrong_and_what_holds_is_right(specification: Specification) -> None:
    task = task_of(specification)
    truths = {member.name: member.truth for member in specification.members(0)}
    names = ("own", *task.record.companions)
    for name, member in zip(names, (task, *task.companions), strict=True):
        recorded = check(member, "rivals").recorded
        claim = member.mechanism.algorithm
        assert claim is not None
        assert claim.held("algorithm") == {truths[name]}
        rivals = [recorded[f"{h.name} wrong"] for h in claim.hypotheses if h.is_candidate and not h.holds]
        assert len(rivals) >= 8
        assert min(rivals) > 0.05
        assert recorded[f"{truths[name]} wrong"] < 0.01


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_all_networks_of_a_task_put_out_the_same_and_the_untrained_one_does_not(specification: Specification) -> None:
    task = task_of(specification)
    rows = task.record.domain.all()
    untrained = task.twin("random_init")
    assert untrained is not None
    networks = [task.network(), *(companion.network() for companion in task.companions)]
    outputs = [run_with_cache(network, rows).logits[:, 0] for network in (*networks, untrained)]
    classes = [(logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1) for logits in outputs]
    assert len(networks) == 4
    assert all(torch.equal(some, classes[0]) for some in classes[:-1])
    assert not torch.equal(classes[-1], classes[0])


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_truths_earn_1_and_constants_0_on_both_tracks(specification: Specification) -> None:
    task = task_of(specification)
    (asked,) = algorithms.TRACK.questions(task, 0)
    truth = algorithms.Oracle().answer(asked, task, [])
    assert algorithms.TRACK.grade(task, 0, asked, truth)["score"] == pytest.approx(1)
    constant = AlgorithmAnswer(torch.zeros(len(asked.hypotheses)))
    assert algorithms.TRACK.grade(task, 0, asked, constant)["score"] == pytest.approx(0, abs=1e-9)
    (pairs,) = universality.TRACK.questions(task, 0)
    alike = universality.Oracle().answer(pairs, task, [])
    assert universality.TRACK.grade(task, 0, pairs, alike)["score"] == 1
    agreement = UniversalityAnswer(torch.ones(len(pairs.pairs)))
    assert universality.TRACK.grade(task, 0, pairs, agreement)["score"] == 0
