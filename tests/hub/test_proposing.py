"""Pull requests, opened by the real client on a Hub on loopback."""

import re
from pathlib import Path

import pytest
from loopback_hub import Fault, LoopbackHub, Repository

from peabench.errors import PeabenchError
from peabench.hub import propose

REPO = "peas/results"


@pytest.fixture
def results(hub: LoopbackHub) -> Repository:
    repository = hub.create(REPO, "datasets")
    repository.commit({"README.md": b"# Results\n"})
    return repository


def open_one(files: dict[str, Path | bytes] | None = None) -> str:
    return propose(REPO, files or {"submissions/a.json": b"{}"}, "A submission", "By someone.")


def test_a_pull_request_leaves_main_as_it_is_and_its_address_is_told(
    hub: LoopbackHub, results: Repository, tmp_path: Path
) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK")
    address = open_one({"submissions/a.zip": archive, "submissions/a.json": b"{}"})
    assert address == f"{hub.url}/datasets/{REPO}/discussions/1"
    assert results.files == {"README.md": b"# Results\n"}
    proposed = results.trees[results.references["refs/pr/1"]]
    assert proposed == results.files | {"submissions/a.zip": b"PK", "submissions/a.json": b"{}"}
    assert results.titles[-1] == "A submission"


@pytest.mark.parametrize("times", [1, 3])
def test_a_parent_that_moved_is_looked_up_again(hub: LoopbackHub, results: Repository, times: int) -> None:
    left = times

    def someone_commits(method: str, path: str) -> None:
        nonlocal left
        if "/commit/" in path and left:
            left -= 1
            results.commit(results.files | {f"other{left}.json": b"{}"})

    hub.meddle = someone_commits
    open_one()
    assert hub.asked("/commit/") == times + 1
    assert set(results.trees[results.references["refs/pr/1"]]) == set(results.files) | {"submissions/a.json"}


def test_a_head_that_never_rests_is_given_up_with_advice(hub: LoopbackHub, results: Repository) -> None:
    def someone_commits(method: str, path: str) -> None:
        if "/commit/" in path:
            results.commit(results.files | {f"other{len(results.trees)}.json": b"{}"})

    hub.meddle = someone_commits
    with pytest.raises(PeabenchError, match=r"each of the 4 times .* nothing was opened, give the same command again"):
        open_one()
    assert results.pull_requests == 0


def test_files_that_are_there_already_are_no_pull_request(results: Repository) -> None:
    results.commit(results.files | {"submissions/a.json": b"{}", "submissions/a.zip": b"PK"})
    with pytest.raises(PeabenchError, match="holds these very files already"):
        open_one({"submissions/a.json": b"{}", "submissions/a.zip": b"PK"})
    assert results.pull_requests == 0


@pytest.mark.parametrize(
    ("token", "repo", "complaint"),
    [
        ("hf_wrong", REPO, r"does not accept your token \(Invalid credentials.*check HF_TOKEN"),
        ("hf_right", "peas/none", "shows no peas/none to you: it does not exist, or is private"),
        ("hf_right", "no name", "is named `owner/name`, not 'no name'"),
    ],
)
def test_who_may_not_is_told_so_in_one_sentence(
    results: Repository, monkeypatch: pytest.MonkeyPatch, token: str, repo: str, complaint: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        propose(repo, {"a.json": b"{}"}, "A submission", "")
    assert "\n" not in str(caught.value)


def test_without_a_token_nothing_is_written(results: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PeabenchError, match=r"check its name, and HF_TOKEN|does not accept your token"):
        open_one()
    assert results.pull_requests == 0


@pytest.mark.parametrize(
    ("status", "complaint"),
    [(403, "Your token may not do this to peas/results"), (503, r"busy or down \(it answered with status 503\)")],
)
def test_a_refusal_is_told(hub: LoopbackHub, results: Repository, status: int, complaint: str) -> None:
    hub.meddle = lambda method, path: Fault(status=status) if "/commit/" in path else None
    with pytest.raises(PeabenchError, match=complaint):
        open_one()


def test_a_hub_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PeabenchError, match=r"The connection to the Hub failed \(ConnectError.*check the network"):
        open_one()


@pytest.mark.parametrize("path", ["../a.json", "/a.json", "a//b.json", "a/../b.json", "", "."])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(PeabenchError, match=re.escape(f"not {path!r}")):
        propose(REPO, {path: b""}, "A submission", "")


def test_what_is_no_file_is_refused_before_the_hub_is_asked(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="is no file"):
        open_one({"a.json": tmp_path / "none.json"})
    with pytest.raises(PeabenchError, match="needs at least one file"):
        propose(REPO, {}, "A submission", "")
    assert hub.requests == []
