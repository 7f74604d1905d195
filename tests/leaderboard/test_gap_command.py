"""`peabench leaderboard gap`: two folders of results, one table for each track."""

import json
from pathlib import Path
from typing import Any

import pytest
from cells import cell
from typer.testing import CliRunner

from peabench.cli.app import build_app
from peabench.results import save


def call(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for kind, shift in (("public", 0.3), ("sealed", 0.0)):
        for i in range(4):
            for variant in ("tree", "few"):
                name = f"{kind}/{variant}-s-{i}"
                save(cell("principal-components", name, 0.2 + shift + 0.01 * i), tmp_path / kind)
                save(cell("random", name, 0.0, "null"), tmp_path / kind)
    return tmp_path / "public", tmp_path / "sealed"


def test_it_prints_both_scores_and_the_gap_within_80_columns(folders: tuple[Path, Path]) -> None:
    done = call("leaderboard", "gap", folders[1], "--results", folders[0])
    assert done.exit_code == 0
    line = next(line for line in done.stdout.splitlines() if line.startswith("principal-components"))
    assert line.split() == [
        *("principal-components", "0.52", "0.51", "to", "0.52", "0.21", "0.21", "to", "0.22"),
        *("+0.30", "0.29", "to", "0.31"),
    ]
    assert "circuits: 8 public tasks, 8 sealed ones" in done.stdout
    assert "1 of 1 methods are told to score higher on public tasks." in done.stdout


def test_public_tasks_can_be_chosen_to_compare_like_with_like(folders: tuple[Path, Path]) -> None:
    done = call("leaderboard", "gap", folders[1], "--results", folders[0], "--task", "public/tree-*", "--json")
    assert {row["public_tasks"] for row in json.loads(done.stdout)} == {4}


def test_nothing_in_common_is_one_sentence(folders: tuple[Path, Path]) -> None:
    done = call("leaderboard", "gap", folders[1], "--results", folders[0], "--task", "nothing")
    assert done.exit_code == 2
    assert "No scorer has answered or declined all tasks both in" in " ".join(done.output.split())
