"""Checks of beliefs: they pass on networks that hold them, and fail where they are not read, or not used."""

from pathlib import Path

import pytest
import torch
from believing_networks import PROCESS, filter_mechanism, save_filter, save_parity

from peabench.certification import Check, certify
from peabench.certification.certify import certify_network, contradiction
from peabench.mechanism import Mechanism
from peabench.networks import Network
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task, load_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_filter(tmp_path_factory.mktemp("filter"))


def checks_of(task: Task, network: Network, mechanism: Mechanism) -> dict[str, Check]:
    found = certify_network(network, mechanism, task.record.domain, task.twin("random_init"))
    return {check.name: check for check in found}


def test_a_network_that_filters_passes_on_every_history(task: Task) -> None:
    checks = certify(task)
    assert [check.name for check in checks] == ["behaviour", "beliefs", "belief swap"]
    assert all(check.passed and check.exhaustive and check.errors == 0 for check in checks)
    words = PROCESS.words(7).tokens
    histories = {tuple(row[: end + 1]) for row in words.tolist() for end in range(7)}
    assert checks[0].cases == checks[1].cases == len(histories)
    assert checks[2].cases == len(words) ** 2 * 7
    assert checks[1].recorded["resid.1@* R²"] > 0.999
    assert checks[2].recorded["resid.1@* moved"] > 0.999


def test_a_variable_is_a_belief_too(tmp_path: Path) -> None:
    checks = certify(save_parity(tmp_path))
    assert [check.name for check in checks] == ["behaviour", "beliefs", "belief swap"]
    assert all(check.passed and check.exhaustive for check in checks)


def test_a_read_out_of_another_place_fails(task: Task) -> None:
    """At the last layer the belief is still there to be read, and nothing reads it any more."""
    mechanism = task.mechanism
    assert mechanism.beliefs is not None
    later = mechanism.beliefs.readout.model_copy(update={"site": "resid.2@*"})
    moved = mechanism.model_copy(update={"beliefs": mechanism.beliefs.model_copy(update={"readout": later})})
    checks = checks_of(task, task.network(), moved)
    assert checks["beliefs"].passed
    assert not checks["belief swap"].passed
    assert checks["belief swap"].recorded["resid.2@* moved"] < 0.01


def test_a_read_out_that_is_turned_fails(task: Task) -> None:
    turned = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(3))).Q
    checks = checks_of(task, task.network(), filter_mechanism(turned[:, :5]))
    assert checks["behaviour"].passed
    assert not checks["beliefs"].passed
    assert not checks["belief swap"].passed


def test_a_network_that_predicts_something_else_fails(task: Task) -> None:
    network = task.network()
    with torch.no_grad():
        network.w_output.mul_(0.5)
    checks = checks_of(task, network, task.mechanism)
    assert not checks["behaviour"].passed
    assert checks["beliefs"].passed


def test_a_gauge_takes_the_read_out_along(task: Task) -> None:
    network, rotation = random_gauge(task.network(), torch.Generator().manual_seed(1))
    assert rotation is not None
    assert all(check.passed for check in checks_of(task, network, regauge_mechanism(task.mechanism, rotation)).values())
    assert not checks_of(task, network, task.mechanism)["beliefs"].passed


def test_a_task_that_claims_no_beliefs_cannot_serve_the_track(tmp_path: Path) -> None:
    task = save_filter(tmp_path)
    task.mechanism.model_copy(update={"beliefs": None, "tolerance": None}).with_tensors({}).save(tmp_path)
    said = contradiction(load_task(tmp_path), [])
    assert said == "task.json names the track beliefs, and mechanism.json claims nothing for it"
