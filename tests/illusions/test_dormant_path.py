"""The family `illusions`: a line whose swap sets a variable, in a plane that the network never uses."""

from dataclasses import replace

import pytest
import torch

from peabench.certification import certify
from peabench.certification.dormant_paths import dormant_path_check
from peabench.certification.subject import Subject, examine
from peabench.errors import PeabenchError
from peabench.interventions import interchange, run_with_cache
from peabench.mechanism import DormantPath, Mechanism, MechanismError, TensorReference
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task, load_task
from peabench.tracks.pairs import predicted_class
from peabench.tracks.variables import TRACK, Oracle, VariableAnswer
from peabench_baselines.variables.mean_difference import MeanDifference
from peabench_tasks.illusions.family import ILLUSIONS
from peabench_tasks.illusions.specifications import ASKED, Specification, formula, specifications
from peabench_tasks.illusions.training import task_record, train


def name_of(specification: Specification) -> str:
    return specification.name


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(ILLUSIONS.checkpoints / "dormant-xs-0")


@pytest.fixture(scope="module")
def subject(task: Task) -> Subject:
    return examine(task.network(), task.mechanism, task.record.domain)


@pytest.mark.parametrize("specification", list(specifications()), ids=name_of)
def test_shipped_tasks_are_certified_on_every_pair(specification: Specification) -> None:
    task = load_task(ILLUSIONS.checkpoints / specification.name)
    assert task.record == task_record(specification, 0)
    assert all(check.passed for check in task.certificate)
    checks = {check.name: check for check in task.certificate}
    assert ("dormant path" in checks) == ("decoys" in checks) == (specification.variant == "dormant")
    if specification.variant == "dormant":
        path = task.mechanism.dormant_path
        assert path is not None
        found = checks["dormant path"]
        assert found.exhaustive
        assert (found.cases, found.errors) == (4 * len(path.sites) * task.record.domain_size**2, 0)
        assert found.null is not None
        assert found.null.errors > 0.4 * found.null.cases


def test_a_certificate_is_measured_again(task: Task) -> None:
    for stored, now in zip(task.certificate, certify(task), strict=True):
        assert (stored.name, stored.cases, stored.errors) == (now.name, now.cases, now.errors)


def test_the_formula_is_an_exclusive_or_of_two_variables() -> None:
    rows = load_task(ILLUSIONS.checkpoints / "plain-xs-1").record.domain.all()
    run = formula(1).run(formula(1).read_inputs(rows))
    majority = rows[:, :3].sum(1) > 1
    other = (rows[:, 3] == 1) & (rows[:, 4:].sum(1) > 0)
    assert torch.equal(run["answer"], majority ^ other)


def test_the_line_sets_the_variable_and_the_plane_does_nothing(task: Task) -> None:
    network, path = task.network(), task.mechanism.dormant_path
    assert path is not None
    rows = task.record.domain.all()
    source = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]
    model = task.mechanism.causal_model
    values = model.run(model.read_inputs(source))
    wanted = model.run(model.read_inputs(rows), {ASKED: values[ASKED]})[model.output].long()
    with torch.inference_mode():
        base, other = run_with_cache(network, rows), run_with_cache(network, source)
        before = predicted_class(base.logits)
        tensors = {name: task.mechanism.tensor(reference) for name, reference in path.places()}
        plane = torch.linalg.qr(torch.cat([tensors["disconnected"], tensors["dormant"]], 1)).Q
        for site in path.sites:
            moved = {name: predicted_class(interchange(network, base, other, site, basis[None])[0])
                     for name, basis in (tensors | {"plane": plane}).items()}  # fmt: skip
            assert torch.equal(moved["line"], wanted)
            assert int((moved["line"] != before).sum()) > 10
            assert all(torch.equal(moved[name], before) for name in ("disconnected", "dormant", "plane"))


def broken(subject: Subject, **tensors: torch.Tensor) -> Subject:
    mechanism = subject.mechanism
    kept = {reference.name: mechanism.tensor(reference) for _, reference in mechanism.places()}
    changed = {f"path.{name}": tensor for name, tensor in tensors.items()}
    return replace(subject, mechanism=mechanism.with_tensors(kept | changed), counterfactuals={}, outputs={})


def test_the_check_fails_where_a_claim_is_false(subject: Subject) -> None:
    path, mechanism = subject.mechanism.dormant_path, subject.mechanism
    assert path is not None
    tensors = {name: mechanism.tensor(reference) for name, reference in path.places()}
    used = mechanism.tensor(mechanism.alignment(ASKED).locations[0].basis or path.line)
    for wrong in ({"line": tensors["disconnected"]}, {"disconnected": used}, {"dormant": used}):
        check = dormant_path_check(broken(subject, **wrong))
        assert check is not None
        assert not check.passed
    check = dormant_path_check(broken(subject, dormant=tensors["disconnected"], line=tensors["dormant"]))
    assert check is not None
    assert not check.passed


def test_a_network_without_a_dormant_path_has_no_such_check() -> None:
    plain = load_task(ILLUSIONS.checkpoints / "plain-xs-0")
    assert dormant_path_check(examine(plain.network(), plain.mechanism, plain.record.domain)) is None


def test_the_claim_holds_in_another_gauge(task: Task) -> None:
    network, rotation = random_gauge(task.network(), torch.Generator().manual_seed(3))
    assert rotation is not None
    check = dormant_path_check(examine(network, regauge_mechanism(task.mechanism, rotation), task.record.domain))
    assert check is not None
    assert check.passed


def test_the_line_is_right_on_the_domain_and_earns_nothing_and_so_does_a_mean_difference(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    assert TRACK.grade(task, 0, question, Oracle().answer(question, task, []))["score"] == 1
    path = task.mechanism.dormant_path
    assert path is not None
    line = VariableAnswer(path.sites[0], task.mechanism.tensor(path.line))
    for answer in (line, MeanDifference().score(question)):
        metrics = TRACK.grade(task, 0, question, answer)
        assert metrics["on_domain"] == 1
        assert abs(metrics["score"]) < 0.1
    plain = load_task(ILLUSIONS.checkpoints / "plain-xs-0")
    (question,) = TRACK.questions(plain, 0)
    assert TRACK.grade(plain, 0, question, MeanDifference().score(question))["score"] > 0.9


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"variable": "nobody"}, "expected a variable of the causal model, got 'nobody'"),
        ({"sites": ("block0.unit0@0",)}, "expected a site of the residual stream"),
        ({"line": TensorReference(name="path.line", shape=(16,))}, r"expected a float32 basis of shape \[d_model, 1\]"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(task: Task, change: dict[str, object], complaint: str) -> None:
    path = task.mechanism.dormant_path
    assert path is not None
    with pytest.raises((MechanismError, ValueError), match=complaint):
        Mechanism.model_validate(
            task.mechanism.model_dump() | {"dormant_path": DormantPath.model_validate(path.model_dump() | change)}
        )


def test_a_line_that_is_no_unit_vector_is_refused(task: Task) -> None:
    mechanism = task.mechanism
    kept = {reference.name: mechanism.tensor(reference) for _, reference in mechanism.places()}
    with pytest.raises(MechanismError, match="orthonormal columns"):
        mechanism.with_tensors(kept | {"path.line": 2 * kept["path.line"]})


def test_an_unknown_task_is_refused(tmp_path: object) -> None:
    with pytest.raises(PeabenchError, match="No task of the illusions family matches 'other'"):
        train(tmp_path, "other", 0, lambda name, share: None)  # type: ignore[arg-type]
