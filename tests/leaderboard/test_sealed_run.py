"""A sealed run from end to end: seal, answer with three scorers, submit, grade, standings, reveal, verify."""

import json
from pathlib import Path
from typing import Any

import pytest
from borrowed_family import borrowed
from typer.testing import CliRunner

from peabench.cli.app import build_app
from peabench.results import read_all

SCORERS = {"eap": "circuits", "exact-patching": "circuits", "mean-difference": "variables"}


def call(*arguments: object, expect: int = 0) -> Any:
    done = CliRunner().invoke(build_app(), [str(argument) for argument in arguments])
    assert done.exit_code == expect, done.output
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With both halves of a sealed suite, and three submissions of answers to it."""
    folder = tmp_path_factory.mktemp("sealed-run")
    (folder / "secret").write_bytes(bytes(range(64)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"borrowed": borrowed()})
        sealing = ("seal", "--secret", folder / "secret", "--suite", "sealed-1", "--kind", "borrowed/tree-xs")
        call(*sealing, "--each", 2, "--out", folder / "public", "--truth", folder / "private")
    for scorer in SCORERS:
        who = ("--authors", "A. Mouse", "--url", "https://example.org/method")
        where = ("--file", folder / f"{scorer}.peabench.zip", "--out", folder / "answers", "--jobs", 0)
        done = call("submit", scorer, *who, "--suite", folder / "public", *where)
        assert "it is graded by who keeps it" in " ".join(done.output.split())
    return folder


def test_submissions_are_graded_with_the_truth_and_stand_on_a_board(place: Path) -> None:
    for scorer, track in SCORERS.items():
        file = place / f"{scorer}.peabench.zip"
        graded = json.loads(call("grade", file, "--truth", place / "private", "--json").stdout)
        assert [(cell["key"]["task"], cell["status"]) for cell in graded] == [
            ("sealed_1/task-xs-0", "ok"),
            ("sealed_1/task-xs-1", "ok"),
        ]
        assert all(cell["key"]["track"] == track for cell in graded)
        call("grade", file, "--truth", place / "private", "--to", place / "board")
    standings = json.loads(call("leaderboard", "--results", place / "board", "--json").stdout)
    assert {(row["scorer"], row["verification"]) for row in standings} == {(name, "verified") for name in SCORERS}
    by_name = {row["scorer"]: row for row in standings}
    assert by_name["exact-patching"]["score"] > 0.5
    assert by_name["exact-patching"]["rank"] is not None


def test_without_the_truth_they_are_not_graded(place: Path) -> None:
    done = call("grade", place / "eap.peabench.zip", expect=2)
    assert len(done.output.strip().splitlines()) == 1


def test_with_the_truth_of_another_suite_they_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"borrowed": borrowed()})
        sealing = ("seal", "--secret", place / "secret", "--suite", "sealed-2", "--kind", "borrowed/tree-xs")
        call(*sealing, "--out", tmp_path / "public", "--truth", tmp_path / "private")
    done = call("grade", place / "eap.peabench.zip", "--truth", tmp_path / "private", expect=2)
    assert "expected answers to sealed-2 1, got answers to sealed-1 1" in " ".join(done.output.split())


def test_the_revealed_suite_is_verified_and_then_runs_like_a_public_one_with_the_same_scores(
    place: Path, tmp_path: Path
) -> None:
    call("reveal", place / "private", "--verify", place / "public")
    call("run", *SCORERS, "--suite", place / "private", "--out", tmp_path, "--jobs", 0)
    ran, problems = read_all(tmp_path)
    assert not problems
    scores = {(r.key.scorer, r.key.task): r.metrics["score"] for r in ran if r.role == "method"}
    assert len(scores) == 6
    for scorer in SCORERS:
        graded = json.loads(
            call("grade", place / f"{scorer}.peabench.zip", "--truth", place / "private", "--json").stdout
        )
        for cell in graded:
            assert cell["metrics"]["score"] == pytest.approx(scores[scorer, cell["key"]["task"]], abs=1e-9)
    oracle = {r.key.track: r.metrics["score"] for r in ran if r.role == "oracle"}
    assert oracle == {"circuits": 1.0, "variables": 1.0}


def test_a_changed_truth_does_not_run_under_the_suites_name(place: Path, tmp_path: Path) -> None:
    import shutil

    private = tmp_path / "private"
    shutil.copytree(place / "private", private)
    (private / "task-xs-0" / "nonce").write_text("00" * 32)
    done = call("run", "eap", "--suite", private, "--out", tmp_path / "results", "--jobs", 0)
    assert "is not what sealed-1 committed to" in " ".join(done.output.split())
