"""The hand-written network as a task folder."""

from pathlib import Path

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
