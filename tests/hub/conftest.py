"""Tasks that no package has, certified, to be published on the Hub on loopback."""

import shutil
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub, Repository
from pydantic import TypeAdapter
from tests.tracks import gates

from peabench.catalogue import bundled_tasks
from peabench.certification import Check, certify
from peabench.hub import Published, prepare, publish

REPO = "peas/tasks"
BUNDLED = "boolean/tree-xs-0"
ELSEWHERE = ("hand/gates-xs-0", "hand/gates-xs-1")


@pytest.fixture(scope="session")
def certified_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tasks that no package has, and a copy of one that is bundled."""
    shelf = tmp_path_factory.mktemp("shelf")
    for seed in (0, 1):
        task = gates.save_gates(shelf / "hand" / f"gates-xs-{seed}", gates.network(), gates.mechanism(), seed)
        checks = TypeAdapter(list[Check]).dump_json(certify(task))
        (task.folder / "certificate.json").write_bytes(checks)
        (task.folder / "README.md").write_text("# A task made by hand\n")
    bundled = next(task for task in bundled_tasks() if task.id == BUNDLED)
    shutil.copytree(bundled.folder, shelf / BUNDLED)
    return shelf


@pytest.fixture
def shelf(certified_tasks: Path, tmp_path: Path) -> Path:
    """A copy of that folder that a test may change."""
    return shutil.copytree(certified_tasks, tmp_path / "shelf")


@pytest.fixture
def published(hub: LoopbackHub, certified_tasks: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """The suite `full` of that folder, on the Hub; it is what is downloaded unless a test says otherwise."""
    done = publish(prepare(certified_tasks, "full", 1, "Tasks made by hand."), REPO)
    monkeypatch.setenv("PEABENCH_HUB_REPO", REPO)
    hub.requests.clear()
    return done


@pytest.fixture
def repository(hub: LoopbackHub, published: Published) -> Repository:
    """The repository that holds it."""
    return hub.repositories["models", REPO]
