"""A sealed suite from the published half to the board: answered without truth, graded by who keeps it."""

import json
from pathlib import Path
from typing import Any

import pytest
from borrowed_family import borrowed
from typer.testing import CliRunner

from peabench.cli.app import build_app

AUTHORS = ("--authors", "A. Nyone", "--url", "https://example.org/mine")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("halves")
    (folder / "secret").write_bytes(bytes(range(32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"borrowed": borrowed()})
        common = ("seal", "--secret", folder / "secret", "--suite", "sealed-1", "--kind", "borrowed/tree-xs")
        done = call(*common, "--out", folder / "public", "--truth", folder / "private")
    assert done.exit_code == 0, done.output
    return folder / "public", folder / "private"


@pytest.fixture(scope="module", params=["eap", "mean-difference"])
def submitted(
    request: pytest.FixtureRequest, halves: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("submitted")
    file = folder / "mine.peabench.zip"
    options = ("--suite", halves[0], "--name", "mine", "--jobs", 0, "--out", folder / "out", "--file", file)
    done = call("submit", request.param, *options, *AUTHORS)
    assert done.exit_code == 0, done.output
    assert "1 cells are answered and not graded" in done.output
    assert "The truth of its tasks is withheld" in done.output
    assert "score" not in done.output
    return request.param, file


def test_the_keeper_of_the_truth_grades_what_nobody_else_can(
    submitted: tuple[str, Path], halves: tuple[Path, Path], tmp_path: Path
) -> None:
    _, file = submitted
    assert call("grade", file).exit_code == 2  # the suite is not installed, and its truth is not here
    done = call("grade", file, "--truth", halves[1], "--to", tmp_path / "board")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(call("leaderboard", "--results", tmp_path / "board", "--json").stdout)
    assert (row["scorer"], row["answered"], row["verification"]) == ("mine", 1, "verified")
    assert row["score"] > 0.3


def test_an_author_cannot_put_it_on_a_board_themselves(
    submitted: tuple[str, Path], halves: tuple[Path, Path], tmp_path: Path
) -> None:
    done = call("submit", submitted[1], "--suite", halves[0], "--to", tmp_path / "board")
    assert done.exit_code == 2
    assert "send it to who keeps the truth" in " ".join(done.output.split())
    assert not (tmp_path / "board").exists()
