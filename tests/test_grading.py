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
from peabench.grading import regrade
from peabench.results import CellKey, save
from peabench.runner import plan, run
from peabench.suites import get_suite, tasks_of


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
    graded = regrade(key, task.folder, answers)
    for stored, now in zip(found.result.questions, graded, strict=True):
        assert set(stored) - set(now) <= {"selectivity"}
        assert {metric: stored[metric] for metric in now} == pytest.approx(now, abs=1e-6)


def test_other_answers_are_refused(toy: ModuleType, tmp_path: Path) -> None:
    result = next(run(plan(find_scorers(["oracle"])[0], get_suite("all"), tasks="toy/a-0"), tmp_path, jobs=0))
    folder, answers = toy.FAMILY.checkpoints / "a-0", read_answers(tmp_path, result.key)
    assert answers is not None
    assert regrade(result.key, folder, answers) == result.questions
    with pytest.raises(InvalidAnswer, match="Expected 2 answers to toy/a-0, got 1"):
        regrade(result.key, folder, answers[:1])
    with pytest.raises(InvalidAnswer, match="Expected the fields of an answer of guess, got basis"):
        regrade(result.key, folder, [{"basis": torch.zeros(3)}] * 2)
    with pytest.raises(InvalidAnswer, match="Expected three numbers"):
        regrade(result.key, folder, [{"answer": torch.zeros(4)}] * 2)
