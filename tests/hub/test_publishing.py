"""Publishing a suite: what is checked before, and what the repository then holds."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub, Repository

from peabench.errors import PeabenchError
from peabench.hub import Published, prepare, publish
from peabench.hub.published import RECORD, Source, source

REPO = "peas/tasks"
TASK = "hand/gates-xs-0"


def release(shelf: Path, version: int = 1) -> Any:
    return prepare(shelf, "full", version, "Tasks made by hand.")


def test_the_repository_holds_every_file_its_sums_and_a_card(
    shelf: Path, published: Published, repository: Repository
) -> None:
    files = {file.relative_to(shelf).as_posix(): file.read_bytes() for file in shelf.rglob("*") if file.is_file()}
    assert {name: repository.files[name] for name in files} == files
    assert set(repository.files) - set(files) == {"README.md", "manifest.json"}
    assert repository.references["main"] == published.revision
    assert len(repository.titles) == 2  # the empty first commit, and one with everything
    manifest = json.loads(repository.files["manifest.json"])
    sums = {f"{task}/{name}": entry for task, named in manifest["files"].items() for name, entry in named.items()}
    expected = {name: {"sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for name, c in files.items()}
    assert sums == expected
    assert hashlib.sha256(repository.files["manifest.json"]).hexdigest() == published.manifest_sha256


def test_the_card_has_metadata_and_counts(repository: Repository) -> None:
    text = repository.files["README.md"].decode()
    metadata = ModelCard(text).data.to_dict()
    assert metadata["library_name"] == "peabench"
    assert "interpretability" in metadata["tags"]
    assert "| hand | 2 | gates | xs | constructed |" in text
    assert "| boolean | 1 | tree | xs | planted |" in text


def test_a_later_release_replaces_the_earlier_in_one_commit(
    shelf: Path, published: Published, repository: Repository
) -> None:
    repository.commit(repository.files | {".gitattributes": b"*.safetensors lfs", "stray.txt": b""})
    for file in (shelf / "hand" / "gates-xs-1").iterdir():
        file.unlink()
    commits = len(repository.titles)
    done = publish(release(shelf, version=2), REPO)
    assert len(repository.titles) == commits + 1
    assert repository.references["main"] == done.revision
    assert not any(name.startswith("hand/gates-xs-1") or name == "stray.txt" for name in repository.files)
    assert ".gitattributes" in repository.files
    again = publish(release(shelf, version=2), REPO)
    assert again == done


def test_a_repository_that_moved_meanwhile_is_left_to_its_owner(
    hub: LoopbackHub, shelf: Path, published: Published, repository: Repository
) -> None:
    def someone_commits(method: str, path: str) -> None:
        if "/commit/" in path:
            repository.commit(repository.files | {"new.txt": b""})

    hub.meddle = someone_commits
    with pytest.raises(PeabenchError, match="peas/tasks was changed by someone else meanwhile"):
        publish(release(shelf, version=2), REPO)


def test_a_wrong_token_publishes_nothing(hub: LoopbackHub, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PeabenchError, match="does not accept your token"):
        publish(release(shelf), REPO)
    assert hub.repositories == {}


def _drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _add(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("x")


def _fail(folder: Path) -> None:
    checks = json.loads((folder / "certificate.json").read_text())
    checks[0]["passed"] = False
    (folder / "certificate.json").write_text(json.dumps(checks))


def _empty(folder: Path) -> None:
    (folder / "certificate.json").write_text("[]")


def _truncate(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1])


def _link(folder: Path) -> None:
    (folder / "notes").symlink_to("/etc")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_drop("README.md"), r"gates-xs-0 has no README\.md"),
        (_drop("certificate.json"), r"certificate\.json could not be read"),
        (_drop("model.safetensors"), r"model\.safetensors: .*expected a readable file"),
        (_drop("mechanism.json"), r"mechanism\.json"),
        (_add("notes.txt"), r"notes\.txt is no file of a task"),
        (_add(".secret"), r"\.secret is no file of a task"),
        (_add("../notes.txt"), r"notes\.txt is no file of a task"),
        (_link, "notes is no file of a task"),
        (_fail, "certifies nothing: the check 'behaviour' did not pass"),
        (_empty, "certifies nothing: it has no checks"),
        (_truncate, r"model\.safetensors: expected a safetensors file"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(shelf: Path, change: Callable[[Path], object], complaint: str) -> None:
    change(shelf / TASK)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        release(shelf)
    assert "\n" not in str(caught.value)


def test_two_tasks_of_one_id_and_none_at_all_are_refused(shelf: Path, tmp_path: Path) -> None:
    (shelf / "hand" / "gates-xs-1" / "task.json").write_bytes((shelf / TASK / "task.json").read_bytes())
    with pytest.raises(PeabenchError, match="holds 2 tasks with the id hand/gates-xs-0"):
        release(shelf)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PeabenchError, match="holds no task folders"):
        release(tmp_path / "empty")


def test_what_is_recorded_as_published_is_the_default(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEABENCH_HUB_REPO")
    with pytest.raises(PeabenchError, match="No suite of Peabench has been published on the Hub yet"):
        source()
    record = tmp_path / "published.json"
    record.write_text(published.model_dump_json())
    monkeypatch.setattr("peabench.hub.published.RECORD", record)
    assert source() == Source(REPO, str(published.revision), published.manifest_sha256)
    assert source(revision="main") == Source(REPO, "main")
    assert source("peas/others") == Source("peas/others", "main")


def test_the_record_that_travels_in_the_package_is_whole() -> None:
    Published.model_validate_json(RECORD.read_bytes())
