"""The hand-written networks as task folders."""

from pathlib import Path

import hand_features
import pytest
import torch
from tests.tracks import gates

from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task

torch.set_num_threads(1)  # the networks are tiny, and the tests share the cores


@pytest.fixture(scope="session")
def gates_task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return gates.save_gates(tmp_path_factory.mktemp("task"), gates.network(), gates.mechanism())


@pytest.fixture(scope="session")
def rotation_and_regauged_task(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.Tensor, Task]:
    """The same task with other weights for the same function."""
    network, rotation = random_gauge(gates.network(), torch.Generator().manual_seed(3))
    assert rotation is not None
    folder: Path = tmp_path_factory.mktemp("regauged")
    return rotation, gates.save_gates(folder, network, regauge_mechanism(gates.mechanism(), rotation))


@pytest.fixture(scope="session")
def independent(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Six features in eight dimensions."""
    return hand_features.save_independent(tmp_path_factory.mktemp("independent"))


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A circle, a hierarchy, a sign and a decoy."""
    return hand_features.save_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Twenty features in two dimensions: any direction is nearly one of theirs."""
    rows = hand_features.slanted(20, 2)
    return hand_features.save_independent(tmp_path_factory.mktemp("crowd"), rows, (0.1,) * 20)
