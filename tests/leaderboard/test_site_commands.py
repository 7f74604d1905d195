"""`peabench leaderboard build` and `open`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from peabench.cli.app import build_app
from peabench.results import CellResult, save


@pytest.fixture
def run_folder(chosen: list[CellResult], tmp_path: Path) -> Path:
    for result in chosen:
        if result.key.task == "boolean/tree-xs-0" and result.key.track == "circuits":
            save(result, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def peabench() -> Callable[..., Any]:
    return lambda *arguments: CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


def test_build_writes_a_site_and_says_where(peabench: Callable[..., Any], run_folder: Path, tmp_path: Path) -> None:
    done = peabench("leaderboard", "build", "--out", tmp_path / "out", "--results", run_folder)
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "out" / "index.html") in done.output
    assert "self-reported" in (tmp_path / "out" / "index.html").read_text()
    assert (tmp_path / "out" / "task" / "boolean--tree-xs-0.html").is_file()


def test_a_folder_of_something_else_is_left_alone(
    peabench: Callable[..., Any], run_folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "out" / "thesis.tex"
    kept.parent.mkdir()
    kept.write_text("x")
    done = peabench("leaderboard", "build", "--out", kept.parent, "--results", run_folder)
    assert done.exit_code == 2
    assert done.output.count("\n") == 1
    assert "holds something other than a site" in done.output
    assert [file.name for file in kept.parent.iterdir()] == ["thesis.tex"]


def test_results_that_are_none_are_one_sentence(peabench: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = peabench("leaderboard", "build", "--out", tmp_path / "out", "--results", tmp_path / "empty")
    assert done.exit_code == 2
    assert "holds no results" in done.output
    assert not (tmp_path / "out").exists()


def test_open_builds_what_is_missing_and_opens_the_first_page(
    peabench: Callable[..., Any], run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def launch(address: str) -> int:
        opened.append(address)
        return 0

    monkeypatch.setattr("typer.launch", launch)
    done = peabench("leaderboard", "open", "--out", tmp_path / "out", "--results", run_folder)
    assert done.exit_code == 0, done.output
    assert opened == [(tmp_path / "out" / "index.html").as_uri()]
    stamp = (tmp_path / "out" / "index.html").stat().st_mtime_ns
    assert peabench("leaderboard", "open", "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "index.html").stat().st_mtime_ns == stamp


def test_the_bare_command_prints_standings_still(peabench: Callable[..., Any], run_folder: Path) -> None:
    done = peabench("leaderboard", "--results", run_folder)
    assert done.exit_code == 0
    assert "exact-patching" not in done.output
    assert "weight-norm" in done.output
