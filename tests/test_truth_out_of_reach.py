"""The process of a scorer holds no truth, and what a scorer does there changes no grade."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from peabench.answers import read_answers
from peabench.results import read_all

SPIES = Path(__file__).parent / "fakes" / "spying_scorers.py"
PROGRAM = "from peabench.cli.app import main; main()"


def scores(out: Path, jobs: int) -> dict[str, float]:
    options = ["--suite", "smoke", "--task", "*tree-xs-0", "--jobs", str(jobs), "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", str(SPIES), *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {row["scorer"]: row["score"] for row in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    out = tmp_path_factory.mktemp("watched")
    return out, scores(out, jobs=1)


def test_there_is_no_truth_in_the_process_of_a_scorer(watched: tuple[Path, dict[str, float]]) -> None:
    assert watched[1]["spying"] < 0.5


def test_a_grade_that_a_scorer_patches_is_not_the_one_that_counts(watched: tuple[Path, dict[str, float]]) -> None:
    assert watched[1]["patching"] < 0.5
    assert watched[1]["oracle"] == 1


def spread_of_naming(out: Path) -> float:
    (result,) = [result for result in read_all(out)[0] if result.key.scorer == "naming"]
    answers = read_answers(out, result.key)
    assert answers is not None
    return float(answers["0"]["scores"].std())  # type: ignore[union-attr]


def test_a_scorer_is_not_told_which_task_it_answers(watched: tuple[Path, dict[str, float]]) -> None:
    assert spread_of_naming(watched[0]) > 0


def test_without_a_process_of_its_own_a_scorer_would_find_it(tmp_path: Path) -> None:
    """That the tests above can fail: in one process with the harness, spying, patching and naming pay."""
    found = scores(tmp_path, jobs=0)
    assert found["spying"] == 1
    assert found["patching"] == 1
    assert spread_of_naming(tmp_path) == 0
