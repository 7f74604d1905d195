"""Downloads from a server that others wrote: olah serves git repositories as the Hub does.

It cannot share an environment with Peabench (its dependencies ask for psutil below 6). Give it one of its own,
`python -m venv V && V/bin/pip install olah`, and put `V/bin` last in `PATH`; without it these tests are skipped.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import peabench
from peabench.catalogue import installed_tasks
from peabench.errors import PeabenchError
from peabench.hub import download, prepare

OLAH = shutil.which("olah-cli")
REPO = "peas/tasks"
FIRST, SECOND = "hand/gates-xs-0", "hand/gates-xs-1"

pytestmark = pytest.mark.skipif(OLAH is None, reason="olah is not installed")


@pytest.fixture
def repository(certified_tasks: Path, tmp_path: Path) -> Path:
    """A git repository that holds what would be published."""
    folder = tmp_path / "mirror" / "models" / REPO
    for name, content in prepare(certified_tasks, "full", 1, "Tasks made by hand.").contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A suite")
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def olah(repository: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address; it asks no other server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path / "olah.toml"
    settings.write_text(
        f'[basic]\nhost = "127.0.0.1"\nport = {port}\nrepos-path = "{tmp_path / "cache"}"\n'
        f'mirrors-path = ["{tmp_path / "mirror"}"]\n[accessibility]\noffline = true\n'
    )
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    with (tmp_path / "olah.log").open("w") as log:
        # In a session of its own, so that the workers that it starts end with it.
        process = subprocess.Popen(
            [str(OLAH), "--config", str(settings)], cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(address, process)
            yield address
        finally:
            os.killpg(process.pid, 9)
            process.wait()


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "olah ended"
        try:
            with urlopen(f"{address}/api/models/{REPO}/revision/main", timeout=5):
                return
        except URLError:
            time.sleep(0.1)
    pytest.fail("olah did not answer within a minute")


@pytest.mark.usefixtures("olah")
def test_a_whole_suite_comes_from_a_server_of_others(repository: Path) -> None:
    done = download(["hand/*-0"], repo=REPO)
    assert (done.fetched, done.snapshot.commit) == ((FIRST,), git(repository, "rev-parse", "HEAD").strip())
    assert download(repo=REPO).fetched == (SECOND,)
    for task in (FIRST, SECOND):
        peabench.load_task(task).network()
        for file in (repository / task).iterdir():
            assert (done.snapshot.tasks / task / file.name).read_bytes() == file.read_bytes()


@pytest.mark.usefixtures("olah")
def test_a_wrong_file_from_a_server_of_others_is_refused(repository: Path) -> None:
    (repository / FIRST / "README.md").write_text("# Another card\n")
    later = commit(repository)
    with pytest.raises(PeabenchError, match=r"hand/gates-xs-0 did not come .*README\.md has"):
        download(repo=REPO, revision=later)
    assert {task.id for task in installed_tasks() if task.family == "hand"} == {SECOND}


@pytest.mark.usefixtures("olah")
def test_what_a_server_of_others_does_not_have_is_one_sentence() -> None:
    with pytest.raises(PeabenchError, match="shows no peas/none to you"):
        download(repo="peas/none")
