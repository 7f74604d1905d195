"""The shipped tasks: certified, of one behaviour with their companions, and as different as they say."""

import pytest
import torch

from peabench.certification import Check
from peabench.interventions import run_with_cache
from peabench.tasks import Task, load_task
from peabench.tracks import algorithms, universality
from peabench.tracks.algorithms import AlgorithmAnswer
from peabench.tracks.universality import UniversalityAnswer
from peabench_baselines.universality.layer_activations import at_equal_depth, layer_activations
from peabench_baselines.universality.linear_cka import linear_cka
from peabench_tasks.distributive.family import DISTRIBUTIVE
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import Specification, specifications
from peabench_tasks.ways.terms import formula_of
from peabench_tasks.distributive.training import task_record

SPECIFICATIONS = [s for s in specifications() if (DISTRIBUTIVE.checkpoints / s.name).exists()]
FIRST = [s for s in SPECIFICATIONS if s.seed == 0]


def name_of(specification: Specification) -> str:
    return specification.name


def task_of(specification: Specification) -> Task:
    return load_task(DISTRIBUTIVE.checkpoints / specification.name)


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
    for member in (task, *task.companions):
        recorded = check(member, "rivals").recorded
        claim = member.mechanism.algorithm
        assert claim is not None
        held = claim.held("algorithm")
        rates = {h.name: recorded[f"{h.name} wrong"] for h in claim.hypotheses if h.is_candidate}
        assert len(rates) - len(held) >= 8
        assert all(rate < 0.01 if name in held else rate > 0.05 for name, rate in rates.items())


@pytest.mark.parametrize("specification", FIRST, ids=name_of)
def test_all_networks_of_a_task_put_out_the_same(specification: Specification) -> None:
    task = task_of(specification)
    rows = task.record.domain.all()
    outputs = [run_with_cache(member.network(), rows).logits[:, 0, 0] > 0 for member in (task, *task.companions)]
    assert len(outputs) == len(specification.members(0))
    assert all(torch.equal(output, outputs[0]) for output in outputs)
    untrained = task.twin("random_init")
    assert untrained is not None
    assert not torch.equal(run_with_cache(untrained, rows).logits[:, 0, 0] > 0, outputs[0])


@pytest.mark.parametrize("specification", FIRST, ids=name_of)
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


@pytest.mark.parametrize("specification", [s for s in FIRST if s.variant == "crossed"], ids=name_of)
def test_networks_look_alike_by_what_is_strong_and_not_by_what_is_read(specification: Specification) -> None:
    task, members = task_of(specification), specification.members(0)
    companions = dict(zip(task.record.companions, task.companions, strict=True))
    networks = [task.network(), *(companions[member.name].network() for member in members[1:])]
    rows = task.record.domain.all()
    pairs = torch.combinations(torch.arange(len(members)))
    layers = at_equal_depth([layer_activations(network, rows) for network in networks])
    alike = torch.stack([linear_cka(layer, pairs) for layer in layers]).mean(0).tolist()
    look_alike = [members[i].loud == members[j].loud for i, j in pairs.tolist()]
    assert look_alike.count(True) == 2
    assert not any(
        look and members[i].truth == members[j].truth for look, (i, j) in zip(look_alike, pairs, strict=True)
    )
    of_alike, of_others = (
        [s for s, look in zip(alike, look_alike, strict=True) if look == kind] for kind in (True, False)
    )
    assert min(of_alike) > max(of_others)


def test_a_formula_s_letters_are_drawn_anew_for_each_task() -> None:
    drawn = {tuple(s.inputs.values()) for s in specifications()}
    assert len(drawn) > 6
    for specification in specifications():
        formula = formula_of(TABLES[specification.table][0], specification.inputs, 8)
        assert set(formula.used_inputs) == set(specification.inputs.values())
