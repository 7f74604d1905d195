"""`peabench download` and `peabench publish` as users meet them, the former in a process of its own.

The client of the Hub reads the environment once in a process.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import Fault, LoopbackHub, Repository
from typer.testing import CliRunner

from peabench.cli.app import build_app
from peabench.hub import Published

REPO = "peas/tasks"
FIRST, SECOND = "hand/gates-xs-0", "hand/gates-xs-1"

WITHOUT_WAITS = "import time; time.sleep = lambda s: None; from peabench.cli.app import main; main()"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", WITHOUT_WAITS, *arguments]


def peabench(*arguments: str, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, preexec_fn=before)


def here(*arguments: str) -> Any:
    """The same in this very process, which has imported torch already."""
    return CliRunner().invoke(build_app(), list(arguments))


def refused(*arguments: str, before: Callable[[], None] | None = None) -> str:
    """What a command that must fail with exit code 2 says, in one line."""
    done = peabench(*arguments, before=before)
    return complaint(done.returncode, done.stdout, done.stderr)


def refused_here(*arguments: str) -> str:
    done = here(*arguments)
    return complaint(done.exit_code, done.stdout, done.stderr)


def complaint(exit_code: int, stdout: str, stderr: str) -> str:
    assert exit_code == 2, stderr
    assert stdout == ""
    (line,) = (line for line in stderr.splitlines() if line.strip())
    return line


def listed() -> list[str]:
    done = peabench("tasks", "--json")
    assert done.returncode == 0, done.stderr
    return [task["id"] for task in json.loads(done.stdout) if task["family"] == "hand"]


def test_download_lists_shows_certifies_and_runs(published: Published, tmp_path: Path) -> None:
    done = peabench("download", "--suite", "full", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["suite"], told["commit"]) == ("full", published.revision)
    assert told["fetched"] == [FIRST, SECOND] == listed()
    again = peabench("download", "hand/*")
    assert "0 tasks of the suite full (version 1) fetched and verified, 2 were here" in again.stderr
    assert "gates" in here("show", FIRST).stdout
    certified = here("certify", "--suite", "full", "--jobs", "1", "hand/*")
    assert "2 of 2 tasks passed" in certified.stdout
    options = ("--suite", "full", "--task", "hand/*", "--track", "circuits", "--jobs", "0", "--json")
    run = here("run", "weight-norm", *options, "--out", str(tmp_path / "results"))
    assert {row["answered"] for row in json.loads(run.stdout)} == {2}


def test_a_suite_that_is_not_here_says_how_to_get_it() -> None:
    assert "`peabench download --suite full` does it" in refused("run", "--suite", "full")
    assert "No suite of Peabench has been published on the Hub yet" in refused("download", "--suite", "full")
    assert "Name the tasks to download, or give --suite." in refused("download")
    bundled = peabench("download", "--suite", "core")
    assert (bundled.returncode, "nothing to download" in bundled.stderr) == (0, True)


def test_offline_mode_is_named(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    peabench("download", FIRST)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids to ask the Hub; unset it" in refused("download", SECOND)
    assert listed() == [FIRST]
    assert peabench("download", FIRST, "--revision", str(published.revision)).returncode == 0


def test_a_wrong_token_and_a_hub_that_is_gone_are_one_sentence(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "The Hub does not accept your token" in refused("download", FIRST)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "The connection to the Hub failed" in refused("download", FIRST)


def test_a_connection_that_stays_cut_is_one_sentence(hub: LoopbackHub, published: Published) -> None:
    hub.meddle = lambda method, path: Fault(cut_after=9) if path.endswith("model.safetensors") else None
    assert "then give the same command again: it continues where it was" in refused("download", FIRST)
    assert listed() == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder on a file system of its own, with room for the manifest and little more."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=52k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    monkeypatch.setenv("PEABENCH_CACHE", str(place))
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_no_task(published: Published, small_disk: Path) -> None:
    said = refused("download", "--suite", "full")
    assert f"There is no room left in {small_disk}; free some or set PEABENCH_CACHE" in said
    assert listed() == []


def test_a_limit_on_the_size_of_files_is_one_sentence_and_leaves_no_task(published: Published) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4500, 4500))

    said = refused("download", FIRST, before=limit)
    assert "There is no room left in" in said
    assert listed() == []
    assert peabench("download", FIRST).returncode == 0


def test_a_folder_that_cannot_be_written_is_named(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PEABENCH_CACHE", str(tmp_path / "file"))
    assert "cannot be written or read" in refused("download", FIRST)


@pytest.mark.parametrize("files", [4, 11])
def test_a_download_that_is_killed_leaves_whole_tasks_only(
    hub: LoopbackHub, published: Published, cache: Path, files: int
) -> None:
    """Killed when so many files have been served, it leaves nothing that is listed and damaged, and continues."""
    served = 0

    def count(method: str, path: str) -> Fault | None:
        nonlocal served
        served += method == "GET" and "/resolve/" in path
        return Fault(wait_seconds=30) if served > files else None

    hub.meddle = count
    process = subprocess.Popen(command("download", "--suite", "full"), stderr=subprocess.DEVNULL)
    while served <= files:
        assert process.poll() is None
        time.sleep(0.05)  # the test's own clock, not the command's
    process.kill()
    process.wait()
    hub.meddle = lambda method, path: None
    assert listed() == []
    assert peabench("download", "--suite", "full").returncode == 0
    assert listed() == [FIRST, SECOND]
    assert not list(cache.rglob("incoming"))


def test_two_downloads_at_once_do_not_disturb_each_other(hub: LoopbackHub, published: Published) -> None:
    hub.meddle = lambda method, path: Fault(wait_seconds=0.05)
    both = [subprocess.Popen(command("download", "--suite", "full"), stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0], [
        process.stderr and process.stderr.read() for process in both
    ]
    assert listed() == [FIRST, SECOND]


def test_publish_sends_nothing_before_it_is_told_to(hub: LoopbackHub, shelf: Path) -> None:
    done = here("publish", str(shelf), "--repo", REPO, "--jobs", "1")
    assert done.exit_code == 0, done.stderr
    assert "3 tasks of 0.1 MB" in done.stderr
    assert "would be published as peas/tasks in one commit. Nothing was sent; --yes does it." in done.stderr
    assert hub.requests == []


def test_publish_records_what_download_then_takes_by_default(hub: LoopbackHub, shelf: Path, tmp_path: Path) -> None:
    record = tmp_path / "published.json"
    options = ("--repo", REPO, "--version", "3", "--jobs", "1", "--yes", "--record", str(record), "--json")
    done = here("publish", str(shelf), *options)
    assert done.exit_code == 0, done.stderr
    recorded = Published.model_validate_json(record.read_bytes())
    assert json.loads(done.stdout)["published"] == recorded.model_dump(mode="json")
    assert hub.repositories["models", REPO].references["main"] == recorded.revision


def test_publish_measures_certificates_again(hub: LoopbackHub, shelf: Path) -> None:
    certificate = shelf / FIRST / "certificate.json"
    checks = json.loads(certificate.read_text())
    checks[0]["cases"] += 1  # it says that it passed, and it is not what is measured
    certificate.write_text(json.dumps(checks))
    said = refused_here("publish", str(shelf), "--repo", REPO, "--jobs", "1", "--yes")
    assert f"The certificate of {FIRST} does not hold when it is measured again" in said
    assert hub.requests == []


def test_publish_tells_what_is_wrong_with_a_folder(repository: Repository, shelf: Path, tmp_path: Path) -> None:
    (shelf / "notes.txt").write_text("")
    assert "notes.txt is no file of a task" in refused_here("publish", str(shelf), "--repo", REPO)
    assert "holds no task folders" in refused_here("publish", str(tmp_path / "none"), "--repo", REPO)


def _heed_interrupts() -> None:
    """A shell has what it runs in the background ignore them, and so would all that this test starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_download_that_is_stopped_says_how_it_goes_on(hub: LoopbackHub, published: Published) -> None:
    waiting = False

    def hold(method: str, path: str) -> Fault | None:
        nonlocal waiting
        waiting = waiting or path.endswith("model.safetensors")
        return Fault(wait_seconds=2) if waiting else None

    hub.meddle = hold
    process = subprocess.Popen(
        command("download", FIRST),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    while not waiting:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Stopped; the same command continues with the files that are missing." in told
    assert listed() == []
