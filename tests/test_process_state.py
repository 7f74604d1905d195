"""What a cell sets for its whole process ends with it."""

import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peabench import cost
from peabench.cost import Meter
from peabench.process_state import process_state_kept

Change = tuple[Callable[[], Any], Callable[[], Any]]
"""Reads a setting; changes it."""


def all_nan(*_: object) -> Any:
    return torch.tensor([torch.nan])


CHANGES: dict[str, Change] = {
    "dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "gradients": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "precision": (torch.get_float32_matmul_precision, lambda: torch.set_float32_matmul_precision("medium")),
    "determinism": (
        torch.are_deterministic_algorithms_enabled,
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "anomalies": (torch.is_anomaly_enabled, lambda: torch.autograd.set_detect_anomaly(True)),
    "hooks of all modules": (
        lambda: torch.nn.Linear(1, 1)(torch.zeros(1)).isnan().item(),
        lambda: torch.nn.modules.module.register_module_forward_hook(all_nan),
    ),
    "numpy's errors": (np.geterr, lambda: np.seterr(all="raise")),
    "warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error")),
    "folder": (Path.cwd, lambda: os.chdir("/")),
    "changed variable": (lambda: os.environ.get("PATH"), lambda: os.environ.update(PATH="/nowhere")),
    "removed variable": (lambda: os.environ.get("PATH"), lambda: os.environ.pop("PATH")),
    "recursion": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(5000)),
    "garbage": (gc.isenabled, gc.disable),
    "own function": (lambda: cost.resident_bytes, lambda: setattr(cost, "resident_bytes", lambda _: 0)),
    "own method": (lambda: Meter.count_forward, lambda: setattr(Meter, "count_forward", lambda *_: None)),
}


@pytest.fixture
def unspoilt() -> Iterator[None]:
    """Whatever the code under test leaves, other tests shall not see."""
    with process_state_kept():
        yield


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_set_for_the_whole_process_is_set_back(unspoilt: None, name: str) -> None:
    read, change = CHANGES[name]
    before = read()
    with process_state_kept():
        change()
        assert read() != before
    assert read() == before


def test_it_is_set_back_after_an_error_too(unspoilt: None) -> None:
    def fails() -> None:
        with process_state_kept():
            torch.set_default_dtype(torch.float64)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.get_default_dtype() == torch.float32


def test_what_libraries_set_when_they_are_imported_stays(unspoilt: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SET_BY_A_LIBRARY", raising=False)
    with process_state_kept():
        os.environ["SET_BY_A_LIBRARY"] = "1"
    assert os.environ.pop("SET_BY_A_LIBRARY") == "1"
