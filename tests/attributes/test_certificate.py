"""Shipped networks pass their certificate, and what is broken does not."""

from pathlib import Path

import pytest
import torch

from peabench.certification.features import features_check, joint_features_check, removed_features_check
from peabench.certification.subject import Subject, examine
from peabench.mechanism import Mechanism
from peabench.networks import Network
from peabench.tasks import Task, load_task
from peabench_tasks.attributes.family import ATTRIBUTES
from peabench_tasks.attributes.specifications import specifications
from peabench_tasks.attributes.training import task_record

SHIPPED = sorted(folder.parent for folder in ATTRIBUTES.checkpoints.glob("*/certificate.json"))


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(ATTRIBUTES.checkpoints / "plain-xs-2")


def examined(task: Task, network: Network, mechanism: Mechanism) -> Subject:
    return examine(network, mechanism, task.record.domain)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_tasks_load_and_passed(folder: Path) -> None:
    task = load_task(folder)
    assert all(check.passed for check in task.certificate)
    assert {"behaviour", "features", "joint features", "features removed"} <= {c.name for c in task.certificate}
    made = next(s for s in specifications() if s.name == folder.name)
    assert task.record == task_record(made, 0)
    features = task.mechanism.features
    assert len(features) > task.record.network.d_model
    network = task.network()
    assert network(task.record.domain.sample(4, torch.Generator().manual_seed(0))).shape == (4, 1, 1)


@torch.inference_mode()
def test_a_certificate_is_measured_again_from_the_files(task: Task) -> None:
    subject = examined(task, task.network(), task.mechanism)
    check = features_check(subject)
    assert check is not None
    assert check.passed
    assert check.errors == 0
    assert check.null is not None
    assert check.null.errors > check.null.cases / 2


@torch.inference_mode()
@pytest.mark.parametrize("scale", [-1.0, 0.3])
def test_a_broken_direction_fails(task: Task, scale: float) -> None:
    mechanism = task.mechanism
    tensors = {feature.direction.name: mechanism.tensor(feature.direction) for feature in mechanism.features}
    broken = mechanism.with_tensors({**tensors, "a3": scale * tensors["a3"]})
    subject = examined(task, task.network(), broken)
    broken_alone = features_check(subject)
    assert broken_alone is not None
    assert not broken_alone.passed
    removed, intact = (removed_features_check(s) for s in (subject, examined(task, task.network(), mechanism)))
    assert removed is not None
    assert intact is not None
    assert removed.errors > intact.errors == 0


@torch.inference_mode()
def test_directions_of_two_attributes_exchanged_fail(task: Task) -> None:
    mechanism = task.mechanism
    tensors = {feature.direction.name: mechanism.tensor(feature.direction) for feature in mechanism.features}
    swapped = mechanism.with_tensors({**tensors, "a0": tensors["a1"], "a1": tensors["a0"]})
    subject = examined(task, task.network(), swapped)
    for check in (features_check(subject), joint_features_check(subject)):
        assert check is not None
        assert not check.passed


@torch.inference_mode()
def test_weights_that_are_damaged_fail(task: Task) -> None:
    network = task.network()
    network.get_parameter("block0.w_in")[0] *= -1
    check = features_check(examined(task, network, task.mechanism))
    assert check is not None
    assert not check.passed
