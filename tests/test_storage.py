"""Files that are there as a whole or not at all."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from peabench import storage
from peabench.storage import clear_parts, write_whole


def part_of(file: Path, host: str, process: int) -> Path:
    part = file.with_name(f".{file.name}.{host}.{process}.part")
    part.write_text("{")
    return part


def a_dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_file_is_written_with_its_folders_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.json"
    for content in (b"one", b"another"):
        write_whole(file, content)
        assert file.read_bytes() == content
    assert list(tmp_path.rglob("*.*")) == [file]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_whole(file, b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"new")
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"old"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_host", lambda: "here")
    file = tmp_path / "track" / "scorer" / "task.json"
    write_whole(file, b"{}")
    gone = part_of(file, "here", a_dead_process())
    alive = part_of(file, "here", os.getpid())
    recent = part_of(file, "elsewhere", 1)
    old = part_of(file, "elsewhere", 2)
    long_ago = time.time() - 2 * storage.ABANDONED_SECONDS
    os.utime(old, (long_ago, long_ago))
    foreign = file.with_name(".notes.part")
    foreign.write_text("mine")
    clear_parts(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {file, alive, recent, foreign}
    assert not gone.exists()


def test_a_folder_that_is_not_there_has_no_parts(tmp_path: Path) -> None:
    clear_parts(tmp_path / "absent")
