"""The commands around a sealed suite: what they say of a task without truth, and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from borrowed_family import borrowed
from typer.testing import CliRunner

from peabench.cli.app import build_app


def call(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("halves")
    (folder / "secret").write_bytes(bytes(range(32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"borrowed": borrowed()})
        public, private = folder / "public", folder / "private"
        common = ("seal", "--secret", folder / "secret", "--suite", "sealed-1", "--kind", "borrowed/tree-xs")
        done = call(*common, "--out", public, "--truth", private)
    assert done.exit_code == 0, done.output
    assert f"publish {public}, and keep {private}" in " ".join(done.output.split())
    return public, private


def test_a_sealed_suite_is_listed_by_its_folder(halves: tuple[Path, Path]) -> None:
    done = call("tasks", "--suite", halves[0])
    assert done.exit_code == 0
    assert "its truth is sealed" in done.output
    listed = json.loads(call("tasks", "--suite", halves[0], "--json").output)
    assert [task["id"] for task in listed] == ["sealed_1/task-xs-0"]


def test_show_says_that_the_truth_is_sealed_and_shows_none(halves: tuple[Path, Path]) -> None:
    done = call("show", halves[0] / "task-xs-0")
    assert done.exit_code == 0
    assert "Its truth is sealed until its maintainer reveals it." in done.output
    found = json.loads(call("show", halves[0] / "task-xs-0", "--json").output)
    assert found["sealed"] is True
    assert found["questions"] == {"circuits": ["0"], "variables": ["0"]}
    assert "mechanism" not in found
    assert "mechanism" in json.loads(call("show", halves[1] / "task-xs-0", "--json").output)


def test_certify_says_in_one_sentence_that_it_cannot(halves: tuple[Path, Path]) -> None:
    done = call("certify", "--suite", halves[0], "--json")
    assert done.exit_code == 1
    (result,) = json.loads(done.stdout)
    assert result["problem"].startswith("The truth of sealed_1/task-xs-0 is sealed until its maintainer reveals it")


def test_reveal_shows_the_truth_and_verifies_it(halves: tuple[Path, Path]) -> None:
    public, private = halves
    done = call("reveal", private, "--verify", public)
    assert done.exit_code == 0
    assert "Drawn as borrowed/tree-xs." in " ".join(done.output.split())
    assert "All 1 are as committed to, and true of the weights" in " ".join(done.output.split())
    (listed,) = json.loads(call("reveal", private, "--json").output)
    assert listed["verified"] is False


def test_a_formula_that_is_too_long_for_the_table_stands_in_terms_of_its_parents(
    halves: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (listed,) = json.loads(call("reveal", halves[1], "--json").output)
    shown = "".join(call("reveal", halves[1]).output.split())
    assert "".join(listed["formula"].split()) in shown.replace("│", "")
    monkeypatch.setattr("peabench.cli.reveal.LONGEST_FORMULA", len(listed["formula"]) - 1)
    assert "".join(listed["formula"].split()) not in "".join(call("reveal", halves[1]).output.split())


def test_reveal_says_what_is_wrong_and_exits_1(halves: tuple[Path, Path], tmp_path: Path) -> None:
    import shutil

    public = tmp_path / "public"
    shutil.copytree(halves[0], public)
    (public / "task-xs-0" / "task.json").write_text((public / "task-xs-0" / "task.json").read_text() + "\n")
    done = call("reveal", halves[1], "--verify", public)
    assert done.exit_code == 1
    assert "The published sealed_1/task-xs-0" in done.output
    assert "Drawn as" not in done.output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--secret": "none"}, "could not be read"),
        ({"--suite": "Sealed!"}, "cannot be a suite's name"),
        ({"--kind": "boolean/none-*"}, "No kind of task that can be drawn matches"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(32))
    given = {"--secret": "secret", "--suite": "sealed-1", "--out": "public", "--truth": "private"} | changes
    files = {name: str(tmp_path / value) for name, value in given.items() if name in ("--secret", "--out", "--truth")}
    done = call("seal", *(part for item in (given | files).items() for part in item))
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_a_run_with_another_seed_is_told_which_one_the_questions_have(
    halves: tuple[Path, Path], tmp_path: Path
) -> None:
    done = call("run", "eap", "--suite", halves[0], "--seed", 1, "--jobs", 0, "--out", tmp_path)
    assert done.exit_code == 1
    assert "run with --seed 0" in " ".join(done.output.split())
