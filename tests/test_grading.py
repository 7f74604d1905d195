"""Stored answers earn the stored scores again."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from peabench.answers import read_answers
from peabench.catalogue import content_hash
from peabench.cells import Cell, run_cell
from peabench.discovery import find_scorers
from peabench.errors import InvalidAnswer
from peabench.grading import grade_cell
from peabench.results import CellKey, save
from peabench.runner import plan, run
from peabench.suites import get_suite, tasks_of
from peabench.tasks import load_task


@pytest.mark.parametrize(
    ("track", "name"),
    [
        ("circuits", "oracle"),
        ("circuits", "random-edges"),
        ("circuits", "eap"),
        ("variables", "oracle"),
        ("variables", "full-site"),
        ("variables", "mean-difference"),
    ],
)
def test_a_stored_answer_earns_its_score_again(tmp_path: Path, track: str, name: str) -> None:
    task = next(task for task in tasks_of(get_suite("smoke")) if track in task.tracks)
    entry = next(entry for entry in find_scorers([name])[0] if entry.track == track)
    key = CellKey(
        track=track,
        track_version=1,
        scorer=name,
        scorer_version=entry.version,
        source_hash="",
        task=task.id,
        content_hash=content_hash(task.folder),
        others_hash="",
        seed=3,
        device="cpu",
    )
    found = run_cell(Cell(key, entry, "smoke 1", task.folder, ()))
    assert found.result.status == "ok", found.result.reason
    save(found.result, tmp_path, found.answers)
    answers = read_answers(tmp_path, key)
    assert answers is not None
    assert ("0.twin" in answers) == (track == "variables")
    graded = grade_cell(key, load_task(task.folder), answers)
    assert graded == found.result.questions
    assert ("selectivity" in graded[0]) == (track == "variables")


def test_other_answers_are_refused(toy: ModuleType, tmp_path: Path) -> None:
    result = next(run(plan(find_scorers(["oracle"])[0], get_suite("all"), tasks="toy/a-0"), tmp_path, jobs=0))
    task, answers = toy.load_task(toy.FAMILY.checkpoints / "a-0"), read_answers(tmp_path, result.key)
    assert answers is not None
    assert grade_cell(result.key, task, answers) == result.questions
    with pytest.raises(InvalidAnswer, match="each of the 2 questions of guess about toy/a-0, got none to '1'"):
        grade_cell(result.key, task, {"0": answers["0"]})
    with pytest.raises(InvalidAnswer, match=r"got one to '0\.twin', which was not asked"):
        grade_cell(result.key, task, answers | {"0.twin": answers["0"]})
    with pytest.raises(InvalidAnswer, match="Expected the fields of an answer of guess, got basis"):
        grade_cell(result.key, task, {name: {"basis": torch.zeros(3)} for name in answers})
    with pytest.raises(InvalidAnswer, match="Expected three numbers"):
        grade_cell(result.key, task, {name: {"answer": torch.zeros(4)} for name in answers})
