"""What is particular to shipped tasks of residual MLPs: one of two logits, one parity, units that serve subtasks."""

import pytest
import torch
from scipy.linalg import hadamard

from peabench.certification import certify_network
from peabench.certification.hypothesis_search import search
from peabench.certification.rivals import REFUTED, with_models
from peabench.interventions import run_with_cache
from peabench.live import live_subspaces, read_out
from peabench.tasks import Task, load_task
from peabench_baselines.universality.logit_similarity import beside_the_prediction
from peabench_tasks.distributive.family import DISTRIBUTIVE
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.margins import MARGIN
from peabench_tasks.multitask_parity.family import MULTITASK_PARITY
from peabench_tasks.multitask_parity.knockouts import control, wrong_without
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.family import SPARSE_PARITY
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.specification import Specification

FOLDERS = {family.name: family.checkpoints for family in (DISTRIBUTIVE, SPARSE_PARITY, MULTITASK_PARITY)}
LISTED: list[Specification] = [*Distributive.listed(), *SparseParity.listed(), *MultitaskParity.listed()]
EVERY = [s for s in LISTED if (FOLDERS[s.family] / s.name / "task.json").exists()]
SPARSE, MULTITASK = ([s for s in EVERY if s.family == family] for family in ("sparse_parity", "multitask_parity"))


def id_of(specification: Specification) -> str:
    return f"{specification.family}-{specification.name}"


def task_of(specification: Specification) -> Task:
    return load_task(FOLDERS[specification.family] / specification.name)


@pytest.mark.parametrize("specification", EVERY, ids=id_of)
def test_all_networks_of_a_task_give_one_of_two_logits_the_same(specification: Specification) -> None:
    task = task_of(specification)
    rows = task.record.domain.all()
    logits = [run_with_cache(member.network(), rows).logits for member in (task, *task.companions)]
    assert len(logits) == len(specification.members(0))
    for some in logits:
        assert float((some.abs() - MARGIN).abs().max()) < 1e-3
        assert float(beside_the_prediction(some).norm()) < 1e-4 * len(rows) ** 0.5


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


@pytest.fixture(scope="module")
def planted() -> Task:
    """One that is certified from its files."""
    return next(one for one in task_of(SPARSE[0]).companions if one.record.provenance == "planted")


def test_a_certificate_is_what_its_files_give(planted: Task) -> None:
    """But for the searches for rivals, which take long."""
    mechanism = planted.mechanism.model_copy(update={"algorithm": None})
    measured = certify_network(planted.network(), mechanism, planted.record.domain, planted.twin("random_init"))
    written = {check.name: (check.cases, check.errors) for check in planted.certificate}
    assert written.pop("rivals")[1] == 0
    assert {check.name: (check.cases, check.errors) for check in measured} == written


def test_a_search_finds_the_planted_way_and_no_rival(planted: Task) -> None:
    network, mechanism = planted.network(), planted.mechanism
    held, *rivals = sorted(with_models(mechanism.algorithm), key=lambda hypothesis: not hypothesis.holds)
    models = [h.causal_model for h in (held, *rivals[:2]) if h.causal_model is not None]
    live = read_out(network) | live_subspaces(mechanism, network.graph)
    wrong = [max(found.rate for found in some) for some in search(network, models, planted.record.domain, 1, live=live)]
    assert wrong[0] < 0.01
    assert min(wrong[1:]) > REFUTED
