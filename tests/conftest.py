"""A toy laboratory in place of the installed families, tracks and scorers, for the tests of the harness."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from loopback_hub import TOKEN, LoopbackHub, running

torch.set_num_threads(1)  # pytest-xdist runs a process per core
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


@pytest.fixture
def points() -> dict[str, list[str]]:
    """The entry points of the toy laboratory, by group; a test may change them."""
    return {
        "peabench.families": ["toy = toy_laboratory:FAMILY"],
        "peabench.scorers": ["noise = toy_laboratory:Noise", "moody = toy_laboratory:Moody"],
    }


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, list[str]]) -> ModuleType:
    """The toy laboratory, installed: four tasks `toy/a-0`, `toy/a-1`, `toy/b-0`, `toy/b-1`, and no suite."""
    import toy_laboratory

    checkpoints = tmp_path / "checkpoints"
    for i, name in enumerate(("a-0", "a-1", "b-0")):
        toy_laboratory.write_task(checkpoints / name, [0.1 * i, 0.2, 0.3])
    toy_laboratory.write_task(checkpoints / "b-1", [1.0, 0.2, 0.3])
    monkeypatch.setattr(toy_laboratory, "FAMILY", replace(toy_laboratory.FAMILY, checkpoints=checkpoints))

    def installed(group: str) -> list[EntryPoint]:
        lines = (line.partition(" = ") for line in points.get(group, []))
        return [EntryPoint(name, value, group) for name, _, value in lines]

    monkeypatch.setattr("peabench.registry.entry_points", installed)
    monkeypatch.setitem(sys.modules, "peabench.tracks", toy_laboratory.tracks)
    monkeypatch.setitem(sys.modules, "peabench.tasks", toy_laboratory.tasks)
    import peabench

    monkeypatch.setattr(peabench, "tracks", toy_laboratory.tracks, raising=False)
    return toy_laboratory


@pytest.fixture
def invoke(toy: ModuleType) -> Callable[..., Any]:
    """Call the command line in the toy laboratory: `invoke("tasks", "--json")` gives typer's result."""
    from typer.testing import CliRunner

    from peabench.cli.app import build_app

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(build_app(), list(arguments))

    return call


@pytest.fixture(scope="session", autouse=True)
def no_downloaded_tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the person who runs the tests has downloaded is out of their sight, and nothing is asked of the real Hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEABENCH_CACHE", str(tmp_path_factory.mktemp("downloaded")))
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        for name in ("PEABENCH_HUB_REPO", "PEABENCH_HUB_REVISION", "HF_TOKEN", "HF_HUB_OFFLINE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what a test downloads."""
    folder = tmp_path / "downloaded"
    monkeypatch.setenv("PEABENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub on loopback that the real client talks to, here and in child processes; its waits are cut short here.

    Xet, which the client would prefer for large files, speaks to other servers than the Hub and is turned off.
    """
    import huggingface_hub.constants as constants

    with running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        yield hub
