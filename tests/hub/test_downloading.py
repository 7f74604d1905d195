"""Downloads by the real client from a Hub on loopback: whole, in part, broken off, and with files that are wrong."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from loopback_hub import Fault, LoopbackHub, Repository

import peabench
from peabench.catalogue import bundled_tasks, installed_tasks
from peabench.errors import PeabenchError
from peabench.hub import Published, download
from peabench.suites import difference, get_suite, tasks_of

REPO = "peas/tasks"
FIRST, SECOND, BUNDLED = "hand/gates-xs-0", "hand/gates-xs-1", "boolean/tree-xs-0"


def downloaded() -> set[str]:
    """Ids of the tasks that are listed and that no package has."""
    return {task.id for task in installed_tasks()} - {task.id for task in bundled_tasks()}


def test_a_whole_suite_is_listed_pinned_and_loaded(hub: LoopbackHub, published: Published, shelf: Path) -> None:
    done = download()
    assert set(done.fetched) == {FIRST, SECOND} == downloaded()
    assert hub.asked(f"resolve/{published.revision}/{BUNDLED}") == 0  # it is here
    for task in (FIRST, SECOND):
        for file in (shelf / task).iterdir():
            assert (done.folders[task] / file.name).read_bytes() == file.read_bytes()
    suite = get_suite("full")
    assert [task.id for task in tasks_of(suite)] == sorted([FIRST, SECOND, BUNDLED])
    assert all(difference(suite, task) is None for task in tasks_of(suite))
    assert isinstance(peabench.load_task(FIRST).network(), torch.nn.Module)
    assert not (done.snapshot.folder / "incoming").exists()


def test_part_of_a_suite_is_all_that_is_asked_for(hub: LoopbackHub, published: Published) -> None:
    assert download(["hand/*-1"]).fetched == (SECOND,)
    assert downloaded() == {SECOND}
    assert hub.asked(FIRST) == 0
    assert [task.id for task in tasks_of(get_suite("full"), ["hand/*-1"])] == [SECOND]
    with pytest.raises(PeabenchError, match=f"`peabench download {FIRST} --repo {REPO} --revision main` fetches it"):
        tasks_of(get_suite("full"))
    with pytest.raises(PeabenchError, match="No task matches 'hand/gate-xs-7'; did you mean hand/gates"):
        download(["hand/gate-xs-7"])


def test_what_is_here_is_not_fetched_again(hub: LoopbackHub, published: Published) -> None:
    download()
    hub.requests.clear()
    assert download().fetched == ()
    assert hub.asked("resolve") == 0
    hub.requests.clear()
    assert download(revision=published.revision).fetched == ()
    assert hub.requests == []  # a commit never changes


def test_load_task_fetches_the_one_that_is_missing(hub: LoopbackHub, published: Published) -> None:
    rows = peabench.load_task(SECOND).record.domain.all()
    assert downloaded() == {SECOND}
    hub.requests.clear()
    peabench.load_task(SECOND).network()(rows)
    peabench.load_task(BUNDLED)
    assert hub.requests == []


def test_a_revision_is_taken_from_the_hub_and_what_was_pinned_stays(
    published: Published, repository: Repository
) -> None:
    download()
    old = repository.references["main"]
    card = b"# Changed\n"
    manifest = json.loads(repository.files["manifest.json"])
    manifest["files"][FIRST]["README.md"] = {"sha256": hashlib.sha256(card).hexdigest(), "size": len(card)}
    files = {f"{FIRST}/README.md": card, "manifest.json": json.dumps(manifest).encode()}
    new = repository.commit(repository.files | files)
    assert (peabench.load_task(FIRST, revision=new).folder / "README.md").read_bytes() == card
    assert (peabench.load_task(FIRST, revision=old).folder / "README.md").read_bytes() != card


@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_that_is_cut_is_taken_up_where_it_was(
    hub: LoopbackHub, published: Published, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100)  # what is kept of a cut file; else 10 MB
    cuts = times

    def cut(method: str, path: str) -> Fault | None:
        nonlocal cuts
        if method == "GET" and path.endswith(f"{FIRST}/model.safetensors") and cuts:
            cuts -= 1
            return Fault(cut_after=200)
        return None

    hub.meddle = cut
    download()
    asked = [start for method, path, start in hub.starts if path.endswith(f"{FIRST}/model.safetensors")]
    assert asked == [200 * i for i in range(times + 1)]
    peabench.load_task(FIRST).network()


def test_a_download_that_broke_off_continues_with_what_is_missing(
    hub: LoopbackHub, published: Published, cache: Path
) -> None:
    hub.meddle = lambda method, path: (
        Fault(cut_after=0) if method == "GET" and path.endswith("model.safetensors") else None
    )
    with pytest.raises(PeabenchError, match=r"The connection to the Hub failed \(RemoteProtocolError.*it continues"):
        download([FIRST])
    assert downloaded() == set()
    came = {path for path in cache.rglob("incoming/hand/*/*") if path.is_file()}
    assert came
    hub.meddle = lambda method, path: None
    hub.requests.clear()
    assert download([FIRST]).fetched == (FIRST,)
    assert all(hub.asked(f"{FIRST}/{path.name}") == 0 for path in came)
    assert hub.asked(f"{FIRST}/model.safetensors") > 0


def test_a_slow_hub_is_waited_for(hub: LoopbackHub, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    slow = 2

    def wait(method: str, path: str) -> Fault | None:
        nonlocal slow
        if method == "GET" and path.endswith("model.safetensors") and slow:
            slow -= 1
            return Fault(wait_seconds=0.6)
        return Fault(wait_seconds=0.02)

    hub.meddle = wait
    assert download([FIRST]).fetched == (FIRST,)


@pytest.mark.parametrize(
    ("name", "body", "complaint"),
    [
        ("model.safetensors", lambda whole: whole[:-7], r"model\.safetensors has \d+ bytes, not \d+"),
        ("model.safetensors", lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), r"model\.safetensors has the SHA-256"),
        ("task.json", lambda whole: whole.replace(b"1", b"2"), r"task\.json has the SHA-256"),
        ("README.md", lambda whole: whole.upper(), r"README\.md has the SHA-256"),
        ("certificate.json", lambda whole: whole + b" ", r"certificate\.json has \d+ bytes"),
        ("mechanism.json", lambda whole: b"<html>Too many requests</html>", r"mechanism\.json has 30 bytes"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_never_used(
    hub: LoopbackHub, published: Published, repository: Repository, name: str, body: object, complaint: str
) -> None:
    wrong = body(repository.files[f"{FIRST}/{name}"])  # type: ignore[operator]
    hub.meddle = lambda method, path: Fault(body=wrong) if path.endswith(f"{FIRST}/{name}") else None
    with pytest.raises(PeabenchError, match=f"{FIRST} did not come from peas/tasks as its manifest says .{complaint}"):
        download()
    assert downloaded() == {SECOND}  # that one was right, and stays
    hub.meddle = lambda method, path: None
    assert download().fetched == (FIRST,)


def test_a_file_more_or_less_than_the_manifest_has_is_refused(published: Published, repository: Repository) -> None:
    repository.commit(repository.files | {f"{FIRST}/evil.py": b"import os"})
    with pytest.raises(PeabenchError, match=r"hand/gates-xs-0 did not come .*evil\.py is not in the manifest"):
        download([FIRST])
    repository.commit({name: c for name, c in repository.files.items() if name != f"{SECOND}/certificate.json"})
    with pytest.raises(PeabenchError, match=r"hand/gates-xs-1 did not come .*certificate\.json is missing"):
        download([SECOND])
    assert downloaded() == set()


def test_a_downloaded_file_that_was_changed_is_noticed_and_restored(published: Published) -> None:
    folder = download([FIRST]).folders[FIRST]
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(PeabenchError, match=rf"no longer what was downloaded .* `peabench download {FIRST} --repo"):
        peabench.load_task(FIRST)
    assert download([FIRST]).fetched == (FIRST,)
    peabench.load_task(FIRST).network()


@pytest.mark.parametrize("name", ["../../../evil.json", "/tmp/evil.json", ".hidden", "a/../b", "a\\b", ""])
def test_a_manifest_whose_names_lead_elsewhere_is_refused(repository: Repository, name: str) -> None:
    manifest = json.loads(repository.files["manifest.json"])
    manifest["files"][FIRST][name] = {"sha256": "0" * 64, "size": 0}
    repository.commit(repository.files | {"manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(PeabenchError, match=r"manifest\.json is malformed: files"):
        download()


@pytest.mark.parametrize("body", [b"<html>Too many requests</html>", b"{}", b'{"schema_version": 2}'])
def test_a_manifest_that_came_as_something_else_is_fetched_again(
    hub: LoopbackHub, published: Published, body: bytes
) -> None:
    hub.meddle = lambda method, path: Fault(body=body) if path.endswith("manifest.json") else None
    with pytest.raises(PeabenchError, match=r"The manifest .*manifest\.json is malformed"):
        download([FIRST])
    hub.meddle = lambda method, path: None
    assert download([FIRST]).fetched == (FIRST,)


def test_a_manifest_other_than_the_recorded_one_is_refused(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEABENCH_HUB_REPO")
    record = tmp_path / "published.json"
    monkeypatch.setattr("peabench.hub.published.RECORD", record)
    record.write_text(published.model_copy(update={"manifest_sha256": "0" * 64}).model_dump_json())
    with pytest.raises(PeabenchError, match=r"this release of Peabench expects 000000000000; nothing of it was used"):
        download()
    record.write_text(published.model_dump_json())
    assert set(download().fetched) == {FIRST, SECOND}


def test_a_repository_that_is_no_suite_is_refused(hub: LoopbackHub, published: Published) -> None:
    hub.create("peas/empty")
    with pytest.raises(PeabenchError, match=r"peas/empty has no manifest\.json at main, so it is no suite of tasks"):
        download(repo="peas/empty")
    with pytest.raises(PeabenchError, match="holds the suite full, not huge"):
        download(suite="huge")


def test_a_suite_whose_name_is_taken_is_refused(hub: LoopbackHub, published: Published, repository: Repository) -> None:
    download([FIRST])
    hub.create("peas/others").commit(repository.files)
    with pytest.raises(PeabenchError, match="a suite 'full', but so does the download of peas/tasks"):
        download(repo="peas/others")
    core = repository.files["manifest.json"].replace(b'"full"', b'"core"')
    hub.create("peas/core").commit(repository.files | {"manifest.json": core})
    with pytest.raises(PeabenchError, match="holds a suite 'core', but an installed package has one of that name"):
        download(repo="peas/core")


@pytest.mark.parametrize(
    ("token", "repo", "revision", "complaint"),
    [
        ("hf_wrong", REPO, None, r"does not accept your token \(Invalid credentials"),
        ("hf_right", REPO, "v9", "peas/tasks has no revision 'v9'; name one"),
        ("hf_right", REPO, "0" * 40, "peas/tasks has no revision '0000000"),
        ("hf_right", "peas/none", None, "shows no peas/none to you: it does not exist, or is private"),
        ("hf_right", "peas/none", "0" * 40, "shows no peas/none to you"),
        (None, "peas/none", None, "shows no peas/none to you"),
        ("hf_right", "peas", None, "is named `owner/name`, not 'peas'"),
        ("hf_right", "a/b/c", None, "is named `owner/name`, not 'a/b/c'"),
    ],
)
def test_what_the_hub_does_not_have_or_show_is_one_sentence(
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
    repo: str,
    revision: str | None,
    complaint: str,
) -> None:
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        download(repo=repo, revision=revision)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("fragment", ["/revision/", "manifest.json", "/tree/", "model.safetensors"])
def test_a_hub_that_is_down_is_one_sentence(hub: LoopbackHub, published: Published, fragment: str, status: int) -> None:
    hub.meddle = lambda method, path: Fault(status=status) if fragment in path else None
    with pytest.raises(PeabenchError, match=f"busy or down .it answered with status {status}"):
        download([FIRST])
    assert downloaded() == set()


@pytest.mark.usefixtures("cache")
def test_a_hub_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    with pytest.raises(PeabenchError, match=r"The connection to the Hub failed \(ConnectError"):
        download(repo=REPO)
    with pytest.raises(PeabenchError, match="The connection to the Hub failed"):
        download(repo=REPO, revision="0" * 40)


def test_without_any_repository_it_says_that_none_is_published() -> None:
    with pytest.raises(PeabenchError, match=r"published on the Hub yet, .* with --repo owner/name"):
        download()
    with pytest.raises(PeabenchError, match="There is no task 'hand/gates-xs-0' here, and no suite has been published"):
        peabench.load_task(FIRST)
    with pytest.raises(PeabenchError, match="did you mean boolean/tree-s-0"):
        peabench.load_task("boolean/tree-s-00")
    with pytest.raises(PeabenchError, match="Expected the id of one task, such as boolean/tree-s-0, or a folder"):
        peabench.load_task("boolean/*")


def test_a_folder_is_loaded_by_its_path(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert peabench.load_task(shelf / FIRST).record.id == FIRST
    assert peabench.load_task(str(shelf / FIRST)).record.id == FIRST
    monkeypatch.chdir(shelf)
    assert peabench.load_task(FIRST).record.id == FIRST
