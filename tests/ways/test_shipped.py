"""The shipped tasks: certified, of one behaviour with their companions and of one margin, as different as they say."""

import pytest
import torch
from scipy.linalg import hadamard

from peabench.certification import Check, certify
from peabench.interventions import run_with_cache
from peabench.tasks import Task, load_task
from peabench.tracks import algorithms, universality
from peabench.tracks.algorithms import AlgorithmAnswer
from peabench.tracks.universality import UniversalityAnswer
from peabench_baselines.universality.logit_similarity import beside_the_prediction
from peabench_tasks.distributive.family import DISTRIBUTIVE
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.multitask_parity.family import MULTITASK_PARITY
from peabench_tasks.multitask_parity.knockouts import control, wrong_without
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.family import SPARSE_PARITY
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.training import task_record
from peabench_tasks.ways.two_logits import MARGIN

FOLDERS = {family.name: family.checkpoints for family in (DISTRIBUTIVE, SPARSE_PARITY, MULTITASK_PARITY)}
LISTED: list[Specification] = [*Distributive.listed(), *SparseParity.listed(), *MultitaskParity.listed()]
EVERY = [s for s in LISTED if (FOLDERS[s.family] / s.name / "task.json").exists()]
SPARSE, MULTITASK = ([s for s in EVERY if s.family == family] for family in ("sparse_parity", "multitask_parity"))


def id_of(specification: Specification) -> str:
    return f"{specification.family}-{specification.name}"


def task_of(specification: Specification) -> Task:
    return load_task(FOLDERS[specification.family] / specification.name)


def check(task: Task, name: str) -> Check:
    return next(check for check in task.certificate if check.name == name)


def test_there_are_some_of_all_families() -> None:
    assert {s.family for s in EVERY if s.variant == "crossed"} == set(FOLDERS)


@pytest.mark.parametrize("specification", EVERY, ids=id_of)
def test_every_network_is_certified_and_the_record_is_what_training_writes(specification: Specification) -> None:
    task = task_of(specification)
    assert task.record == task_record(specification, 0)
    for member in (task, *task.companions):
        assert all(check.passed for check in member.certificate)
    assert check(task, "same behaviour").errors == 0


@pytest.mark.parametrize("specification", EVERY, ids=id_of)
def test_rivals_are_wrong_and_what_holds_is_right(specification: Specification) -> None:
    task = task_of(specification)
    truths = {member.name: member.truth for member in specification.members(0)}
    for name, member in zip(("own", *task.record.companions), (task, *task.companions), strict=True):
        recorded, claim = check(member, "rivals").recorded, member.mechanism.algorithm
        assert claim is not None
        held = claim.held("algorithm")
        assert held == ({f"way-{truths[name]}"} if truths[name] is not None else set())
        rates = {h.name: recorded[f"{h.name} wrong"] for h in claim.hypotheses if h.is_candidate}
        assert len(rates) - len(held) >= 8
        assert all(rate < 0.01 if name in held else rate > 0.05 for name, rate in rates.items())


@pytest.mark.parametrize("specification", EVERY, ids=id_of)
def test_all_networks_of_a_task_give_one_of_two_logits_the_same(specification: Specification) -> None:
    task = task_of(specification)
    rows = task.record.domain.all()
    logits = [run_with_cache(member.network(), rows).logits for member in (task, *task.companions)]
    assert len(logits) == len(specification.members(0))
    for some in logits:
        assert torch.equal(some > 0, logits[0] > 0)
        assert float((some.abs() - MARGIN).abs().max()) < 1e-3
        assert float(beside_the_prediction(some).norm()) < 1e-4 * len(rows) ** 0.5
    untrained = task.twin("random_init")
    assert untrained is not None
    assert not torch.equal(run_with_cache(untrained, rows).logits > 0, logits[0] > 0)


@pytest.mark.parametrize("specification", EVERY, ids=id_of)
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


@pytest.mark.parametrize("specification", SPARSE, ids=id_of)
def test_the_output_is_one_parity_of_the_inputs(specification: Specification) -> None:
    task = task_of(specification)
    rows = task.record.domain.all()
    signs = torch.where(run_with_cache(task.network(), rows).logits[:, 0, 0] > 0, -1, 1)
    count = specification.n_inputs
    spectrum = torch.from_numpy(hadamard(2**count)) @ signs
    (mode,) = spectrum.nonzero()[:, 0].tolist()
    assert mode == sum(1 << (count - 1 - int(name[1:])) for name in specification.inputs.values())


@pytest.mark.parametrize("specification", MULTITASK, ids=id_of)
def test_a_unit_is_missed_by_the_subtasks_that_its_variable_serves(specification: Specification) -> None:
    task = task_of(specification)
    model, rows = task.mechanism.causal_model, task.record.domain.all()
    inputs = model.read_inputs(rows)
    values = model.run(inputs)
    asked = values[control(task)]
    measured = wrong_without(task)
    assert set(measured) == set(model.inner)
    for name, wrong in measured.items():
        changed = model.run(inputs, {name: torch.zeros_like(values[name])})[model.output] != values[model.output]
        assert wrong == (int((changed & asked).sum()), int((changed & ~asked).sum()))
        assert sum(wrong) > 0


def test_a_certificate_is_what_its_files_give() -> None:
    task = next(companion for companion in task_of(SPARSE[0]).companions if companion.record.provenance == "planted")
    measured = certify(task)
    assert [(c.name, c.cases, c.errors) for c in measured] == [(c.name, c.cases, c.errors) for c in task.certificate]
