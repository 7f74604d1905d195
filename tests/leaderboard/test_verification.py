"""Verification fails if a collected result is not what the code gives, however well it is signed."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from peabench.answers import AnswerFile, encode
from peabench.collected import MANIFEST, read_manifest, sha256
from peabench.collecting import collect
from peabench.discovery import find_scorers
from peabench.runner import plan, run
from peabench.suites import get_suite
from peabench_leaderboard.verification import collected_cells, recomputed, sample


@pytest.fixture
def board(toy: ModuleType, tmp_path: Path) -> Path:
    """Collected results of every scorer."""
    list(run(plan(find_scorers([])[0], get_suite("all")), tmp_path / "run", jobs=0))
    collect(tmp_path / "run", tmp_path / "board", get_suite("all"))
    return tmp_path / "board"


def resign(folder: Path) -> None:
    """A manifest that lists the files as they are, as a forger would write it."""
    files = {name: sha256(folder / name) for name in read_manifest(folder).files}
    (folder / MANIFEST).write_text(json.dumps({"schema_version": 1, "files": files}))


def problems_of(folder: Path, count: int = 16) -> list[str]:
    cells, problems = collected_cells(folder)
    return problems + [problem for cell in sample(cells, count, 0) for problem in recomputed(folder, cell).problems]


def doctored(folder: Path, scorer: str, change: Any) -> None:
    file = folder / "guess" / f"{scorer}.all-0.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    resign(folder)


def test_results_as_they_were_collected_pass_and_repeat_bit_by_bit(board: Path) -> None:
    cells, problems = collected_cells(board)
    assert problems == []
    chosen = sample(cells, 100, 0)
    assert len(chosen) == 16
    found = [recomputed(board, cell) for cell in chosen]
    assert [cell.problems for cell in found] == [()] * 16
    assert all(cell.same_platform for cell in found)


def test_a_sample_takes_every_scorer_in_turn_and_is_that_of_its_seed(board: Path) -> None:
    cells, _ = collected_cells(board)
    chosen = sample(cells, 8, 0)
    assert [len({cell.result.key.scorer for cell in chosen[i : i + 4]}) for i in (0, 4)] == [4, 4]
    assert sample(cells, 8, 0) == chosen != sample(cells, 8, 1)
    assert sample(cells, 0, 0) == sample([], 5, 0) == []


def test_only_quick_deterministic_answered_cells_of_installed_scorers_are_run_again(
    board: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch, points: dict[str, list[str]]
) -> None:
    monkeypatch.setattr(toy.Noise, "deterministic", False)
    points["peabench.scorers"] = ["noise = toy_laboratory:Noise"]  # moody is not installed

    def change(content: Any) -> None:
        content["cells"][0]["cost"]["wall_seconds"] = 3600.0
        content["cells"][1] |= {"status": "declined", "reason": "no", "questions": [], "cost": None, "answer_hash": ""}

    doctored(board, "oracle", change)
    chosen = sample(collected_cells(board)[0], 100, 0)
    assert {cell.result.key.scorer for cell in chosen} == {"mean", "oracle"}
    assert {c.result.key.task for c in chosen if c.result.key.scorer == "oracle"} == {"toy/b-0", "toy/b-1"}


def test_a_score_that_was_changed_and_signed_is_found(board: Path) -> None:
    doctored(board, "noise", lambda content: content["cells"][0]["questions"][0].update(score=0.99))
    found = problems_of(board)
    assert len(found) == 2
    assert "noise toy/a-0: question 0 is stored with score 0.990000, but its stored answer earns" in found[0]
    assert "the stored score is" in found[1]


def test_a_score_that_is_off_by_less_than_it_is_compared_to_is_not(board: Path) -> None:
    def change(content: Any) -> None:
        content["cells"][0]["questions"][0]["score"] += 1e-8

    doctored(board, "noise", change)
    assert problems_of(board) == []


def test_answers_forged_with_their_scores_and_hashes_are_found_by_running_the_scorer(board: Path) -> None:
    """Noise with the oracle's answers: all that is stored agrees, and only the code does not give it."""
    place = board / "guess"
    oracle = json.loads((place / "oracle.all-0.json").read_text())
    doctored(
        board,
        "noise",
        lambda content: [
            cell.update({name: given[name] for name in ("questions", "answer_hash")})
            for cell, given in zip(content["cells"], oracle["cells"], strict=True)
        ],
    )
    (place / "noise.all-0.safetensors").write_bytes((place / "oracle.all-0.safetensors").read_bytes())
    resign(board)
    assert collected_cells(board)[1] == []
    found = problems_of(board)
    assert sum("noise" in problem and "but the code gives" in problem for problem in found) == 4
    assert all("noise" in problem for problem in found)


def test_answers_that_are_not_those_of_the_result_are_found(board: Path) -> None:
    file = board / "guess" / "noise.all-0.safetensors"
    stored = AnswerFile.read(file)
    answers = {name: stored.answers(name) for name in stored.cells()}
    answers["toy/a-0.seed-0.cpu"]["0"]["answer"] = torch.zeros(3)
    file.write_bytes(encode(answers))
    resign(board)
    found = collected_cells(board)[1]
    assert len(found) == 1
    assert "The answers of noise to toy/a-0" in found[0]


def test_the_same_score_by_other_answers_is_found_on_the_same_platform_only(
    board: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(content: Any) -> None:
        content["environments"][0]["torch"] = "1.0"

    cells, _ = collected_cells(board)
    oracle = next(cell for cell in cells if cell.result.key.scorer == "oracle")
    other = oracle.result.model_copy(update={"answer_hash": "0" * 64})
    again = recomputed(board, type(oracle)(other, oracle.cell))
    assert again.same_platform
    assert any("run again on the same platform, the answers differ" in problem for problem in again.problems)
    doctored(board, "oracle", change)
    cells, _ = collected_cells(board)
    elsewhere = next(cell for cell in cells if cell.result.key.scorer == "oracle")
    assert not recomputed(board, elsewhere).same_platform
    assert recomputed(board, elsewhere).problems == ()


def test_results_of_another_version_task_or_suite_are_stale(
    board: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(toy.Noise, "version", "2")
        found = collected_cells(board)[1]
        assert len(found) == 4
        assert "noise on toy/a-0 is not of what is installed: scorer_version differ" in found[0]
    with monkeypatch.context() as patch:
        patch.setattr(toy.GuessTrack, "version", 4)
        assert len(collected_cells(board)[1]) == 16
    record = toy.FAMILY.checkpoints / "a-0" / "task.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"truth": [0.5, 0.5, 0.5]}))
    found = collected_cells(board)[1]
    assert sum("content_hash" in problem for problem in found) == 4
    assert sum("others_hash" in problem for problem in found) == 6  # references may learn from the other tasks
