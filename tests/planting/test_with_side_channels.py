"""The command that gives certified tasks side channels."""

import shutil
from pathlib import Path

import pytest
import torch
from tests.planting.test_side_channels import PLANTED, check, contents

from peabench_tasks import with_side_channels as command
from peabench_tasks.planting import side_channels
from peabench_tasks.with_side_channels import FAILED, make, task_folders

NAME = "programs/checkpoints/pair_balance-xs-1"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    shutil.copytree(PLANTED["programs/pair_balance-xs-1"], tmp_path / "start" / NAME)
    return tmp_path / "start"


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_channels, "certify", lambda _task: [check(0)])
    monkeypatch.setattr(side_channels, "answers_that_differ", lambda *_: 0)


@pytest.mark.usefixtures("passing")
def test_a_task_that_has_them_is_kept(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "out" / NAME
    assert "certified with draw 0" in make(start / NAME, out)
    before = contents(out)
    monkeypatch.setattr(side_channels, "certify", lambda _task: pytest.fail("certified again"))
    assert make(start / NAME, out).endswith("has draw 0 already")
    assert contents(out) == before
    torch.set_num_threads(threads)


def test_what_failed_is_said_and_left(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setattr(side_channels, "certify", lambda _task: [check(1)])
    shutil.copytree(start, tmp_path / "out")
    (tmp_path / "out" / NAME / "certificate.json").unlink()
    before = contents(tmp_path / "out" / NAME)
    assert make(start / NAME, tmp_path / "out" / NAME).endswith(FAILED)
    assert contents(tmp_path / "out" / NAME) == before
    torch.set_num_threads(threads)


def test_what_is_not_there_is_one_sentence(
    start: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert task_folders(start, ["programs/pair*"]) == [start / NAME]
    monkeypatch.setattr("sys.argv", ["with_side_channels", str(start), str(start), "programs/none-*"])
    assert command.main() == 2
    assert "that fit 'programs/none-*', got none" in capsys.readouterr().err
    (start / NAME / "certificate.json").unlink()
    monkeypatch.setattr("sys.argv", ["with_side_channels", str(start), str(start)])
    assert command.main() == 2
    assert "expected a certified transformer" in capsys.readouterr().err
