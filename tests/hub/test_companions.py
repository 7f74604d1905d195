"""A task with companions is published and downloaded as one task."""

from pathlib import Path

import pytest
from loopback_hub import LoopbackHub
from rival_networks import save_rivals

import peabench
from peabench.catalogue import content_hash
from peabench.certification.checks import Check, NullCheck, judged
from peabench.errors import PeabenchError
from peabench.hub import download, prepare, publish
from peabench.tasks import save_certificate

REPO = "peas/tasks"
TASK = "hand/rivals-xs-0"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    task = save_rivals(folder / TASK)
    null = NullCheck(description="a test", cases=1, errors=1)
    checks: list[Check] = [judged("a test", "", 0, 1, exhaustive=True, null=null)]
    for part in (task, *task.companions):
        save_certificate(part.folder, checks)
    (task.folder / "README.md").write_text("# Rivals\n")
    return folder


def test_what_is_downloaded_has_its_companions(hub: LoopbackHub, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = prepare(shelf, "full", 1, "Rivals.")
    assert set(release.suite.tasks) == {TASK}
    publish(release, REPO)
    monkeypatch.setenv("PEABENCH_HUB_REPO", REPO)
    done = download()
    assert done.fetched == (TASK,)
    assert content_hash(done.folders[TASK]) == content_hash(shelf / TASK)
    companions = peabench.load_task(TASK).companions
    assert [companion.folder.name for companion in companions] == ["a", "b", "c"]
    assert all(companion.mechanism.algorithm for companion in companions)


def test_a_companion_that_is_not_certified_is_not_published(shelf: Path) -> None:
    (shelf / TASK / "companions" / "b" / "certificate.json").write_text("[]")
    with pytest.raises(PeabenchError, match="it has no checks; mend or remove"):
        prepare(shelf, "full", 1, "Rivals.")


def test_a_folder_that_the_record_does_not_name_is_not_published(shelf: Path) -> None:
    (shelf / TASK / "companions" / "b").rename(shelf / TASK / "companions" / "d")
    with pytest.raises(PeabenchError, match="companions/b"):
        prepare(shelf, "full", 1, "Rivals.")
