"""From a scorer's file to a board, by the commands alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.leaderboard.submissions.conftest import Small
from typer.testing import CliRunner

from peabench.cli.app import build_app
from peabench.suites import get_suite
from peabench_leaderboard.submissions.archive import read_archive

SCORER = """
import torch
from peabench import Scorer
from peabench.tracks.circuits import CircuitAnswer


class Mine(Scorer):
    name = "mine"
    track = "circuits"
    reference = "a test"

    def score(self, question):
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))
"""
FILE = f"mine.smoke-{get_suite('smoke').version}.peabench.zip"
AUTHORS = ("--authors", "A. Nyone", "--authors", "S. O. Else", "--url", "https://example.org/mine")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("scorer") / "mine.py"
    file.write_text(SCORER)
    return file


@pytest.fixture(scope="module")
def submitted(scorer: Path) -> tuple[Path, str]:
    """The file that `submit` wrote, and what it said."""
    file, out = scorer.with_name(FILE), scorer.with_name("out")
    common = ("submit", scorer, "--suite", "smoke", "--jobs", 0, "--out", out, "--file", file)
    done = call(*common, *AUTHORS)
    assert done.exit_code == 0, done.output
    first = file.read_bytes()
    again = call(*common, *AUTHORS)  # resumes: nothing is run again
    assert "4 of 4 cells are finished" in again.output
    assert file.read_bytes() == first
    return file, done.output


def test_submit_writes_a_file_and_says_where_it_would_stand(submitted: tuple[Path, str]) -> None:
    file, said = submitted
    assert "4 of 4 cells answered" in said
    assert "mine would stand at rank " in said
    assert "exact-patching" in said
    assert read_archive(file).submission.authors == ("A. Nyone", "S. O. Else")


def test_grade_gives_the_same_and_puts_it_on_a_board_once(submitted: tuple[Path, str], tmp_path: Path) -> None:
    file, said = submitted
    done = call("grade", file, "--to", tmp_path / "board")
    assert done.exit_code == 0, done.output
    sentence = next(line for line in done.output.splitlines() if "would stand at rank" in line)
    assert sentence in said
    assert "mine is added to" in done.output
    assert "stands already on" in call("grade", file, "--to", tmp_path / "board").output
    board = call("leaderboard", "--results", tmp_path / "board", "--json")
    (row,) = json.loads(board.stdout)
    assert (row["scorer"], row["verification"], row["answered"]) == ("mine", "verified", 4)
    one, two = (call("grade", file, "--json").stdout for _ in range(2))
    assert one == two
    assert {result["status"] for result in json.loads(one)} == {"ok"}


def test_a_file_goes_on_a_board_as_self_reported(submitted: tuple[Path, str], tmp_path: Path) -> None:
    done = call("submit", submitted[0], "--to", tmp_path / "board")
    assert "mine is added to" in done.output
    (row,) = json.loads(call("leaderboard", "--results", tmp_path / "board", "--json").stdout)
    assert row["verification"] == "self-reported"
    assert "mine is verified now on" in call("grade", submitted[0], "--to", tmp_path / "board").output


def test_a_pull_request_holds_the_file(submitted: tuple[Path, str], hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = hub.create("peas/results", "datasets")
    done = call("submit", submitted[0], "--to", "hf://datasets/peas/results")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("http")
    place = f"submissions/circuits/{FILE}"
    assert any(files.get(place) == submitted[0].read_bytes() for files in dataset.trees.values())
    assert place not in dataset.files  # it is proposed, not merged


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--name", "Mine!", *AUTHORS), "--name takes at most 64 lower-case letters"),
        (("--url", "https://example.org"), "--authors takes at least one name, not 'nothing'"),
        (("--authors", "A", "--url", "example.org"), "--url takes an address that begins with http"),
        (("--suite", "smok", *AUTHORS), "did you mean smoke?"),
        (("--file", "x.zip", *AUTHORS), "ends in .peabench.zip"),
    ],
)
def test_what_cannot_be_submitted_is_one_sentence(
    scorer: Path, submitted: tuple[Path, str], tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    options = ("--suite", "smoke", "--jobs", 0, "--out", scorer.with_name("out"))
    done = call("submit", scorer, *options, *arguments)
    assert done.exit_code == 2
    assert sentence in done.output
    assert len(done.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize("place", ["hf://models/a/b", "hf://datasets/ab", "hf://datasets/a/b/c"])
def test_a_place_on_the_hub_that_is_none_is_one_sentence(submitted: tuple[Path, str], place: str) -> None:
    done = call("submit", submitted[0], "--to", place)
    assert done.exit_code == 2
    assert "A results dataset is named hf://datasets/OWNER/NAME" in done.output


def test_a_reference_is_no_method_to_submit() -> None:
    done = call("submit", "structural-null", *AUTHORS)
    assert done.exit_code == 2
    assert "is a reference of the track circuits" in done.output


def test_a_submission_to_a_suite_that_is_not_here_is_refused(small: Small, tmp_path: Path) -> None:
    done = call("grade", small.write(tmp_path))
    assert done.exit_code == 2
    assert "There is no suite 'one'" in done.output


def test_check_prints_a_table_and_exits_1_where_a_promise_is_broken(scorer: Path, tmp_path: Path) -> None:
    done = call("check", scorer)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("passed") == 6
    broken = tmp_path / "broken.py"
    broken.write_text(SCORER.replace("torch.rand(len(question.edges)", "torch.rand(len(question.edges) - 1"))
    done = call("check", broken)
    assert done.exit_code == 1
    assert "data, boolean/tree-xs-0: Expected one real number for each of the" in done.stderr
    assert call("check", "oracle").exit_code == 2


@pytest.mark.parametrize(
    "place", ["HF://datasets/a/b", "https://huggingface.co/datasets/a/b", "hf://a/b", "hf://datasets/a/b/c", "hf://x"]
)
def test_an_address_that_is_no_results_dataset_is_refused_before_anything_is_run(
    scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("submit", scorer, "--suite", "smoke", "--out", tmp_path / "out", *AUTHORS, "--to", place)
    assert done.exit_code == 2
    assert "A results dataset is named hf://datasets/OWNER/NAME" in done.output
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_no_board_is_refused_before_anything_is_run(scorer: Path, tmp_path: Path) -> None:
    file, run = tmp_path / "file", tmp_path / "run"
    file.write_text("mine")
    (run / "circuits" / "eap").mkdir(parents=True)
    (run / "circuits" / "eap" / "boolean--tree-s-0.seed-0.cpu.json").write_text("{}")
    for place, complaint in ((file, "is a file; name a folder"), (run, "holds the results of a run")):
        for command in (("submit", scorer, "--out", tmp_path / "out", *AUTHORS), ("grade", tmp_path / "any.zip")):
            done = call(*command, "--to", place)
            assert done.exit_code == 2
            assert complaint in done.output
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in run.iterdir()) == ["circuits"]


@pytest.mark.parametrize("option", ["--name", "--authors", "--url", "--track", "--file"])
def test_what_a_submission_says_itself_is_not_said_again(tmp_path: Path, option: str) -> None:
    done = call("submit", tmp_path / FILE, option, "other")
    assert done.exit_code == 2
    assert f"so {option} changes nothing; leave it out" in done.output
