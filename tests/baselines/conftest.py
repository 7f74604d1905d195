"""The hand-written network of the tracks' tests, as questions."""

import pytest
import torch
from tests.tracks import gates

from peabench.tasks import Task
from peabench.tracks.circuits import TRACK as CIRCUITS
from peabench.tracks.circuits import CircuitQuestion
from peabench.tracks.variables import TRACK as VARIABLES
from peabench.tracks.variables import VariableQuestion

torch.set_num_threads(1)  # the networks are tiny, and the tests share the cores


@pytest.fixture(scope="session")
def gates_task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return gates.save_gates(tmp_path_factory.mktemp("task"), gates.network(), gates.mechanism())


@pytest.fixture(scope="session")
def variable_question(gates_task: Task) -> VariableQuestion:
    """About `g0`, the second of its questions."""
    return VARIABLES.questions(gates_task, 0)[1]


@pytest.fixture(scope="session")
def circuit_question(gates_task: Task) -> CircuitQuestion:
    return CIRCUITS.questions(gates_task, 0)[0]
