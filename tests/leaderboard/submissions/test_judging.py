"""Grading gives what the run gave, runs nobody's code, and refuses answers to anything else."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.leaderboard.submissions.conftest import TASK, Small
from tests.leaderboard.submissions.test_archive import changed

from peabench.collected import altered, read_collected
from peabench.errors import PeabenchError
from peabench.plain import Answer
from peabench.results import SCORE, Verification, answer_hash, read_all
from peabench.suites import Suite
from peabench_leaderboard.submissions.archive import archive_of, read_archive
from peabench_leaderboard.submissions.board import put_on_board
from peabench_leaderboard.submissions.judging import Judged, judge
from peabench_leaderboard.submissions.standing import in_one_sentence, standing_among
from peabench_leaderboard.submissions.submission import Submission, suite_hash


def judged(small: Small, folder: Path, content: bytes | None = None, how: Verification = "verified") -> Judged:
    return judge(read_archive(small.write(folder, content)), small.suite, small.tasks, how)


def answering(small: Small, answers: dict[str, Answer], **changes: Any) -> bytes:
    """The submission with other answers, all of its own sums right."""
    document = json.loads(small.submission.content()) | changes
    document["cells"][0]["answer_hash"] = answer_hash(answers)
    submission = Submission.model_validate_json(json.dumps(document))
    return archive_of(submission, {TASK: answers})


def test_a_submission_earns_what_its_run_earned(small: Small, small_variables: Small, tmp_path: Path) -> None:
    for one in (small, small_variables):
        (result,) = judged(one, tmp_path).results
        assert result.metrics[SCORE] == one.score
        assert result.status == "ok"
        assert (result.key.scorer, result.role, result.suite) == ("small", "method", "one 3")
    assert "selectivity" in result.metrics


def test_the_same_file_gives_the_same_bytes(small: Small, tmp_path: Path) -> None:
    one, two = (judged(small, tmp_path) for _ in range(2))
    assert one.document.text() == two.document.text()
    assert one.answers == two.answers


def test_the_truth_itself_earns_1_and_nonsense_fails_its_cell(small: Small, tmp_path: Path) -> None:
    edges = small.tasks[TASK].network().graph.edges
    circuit = small.tasks[TASK].mechanism.circuit
    assert circuit is not None
    truth: Answer = {"scores": torch.tensor([float(edge in circuit.required) for edge in edges])}
    (result,) = judged(small, tmp_path, answering(small, {"0": truth})).results
    assert result.metrics[SCORE] == 1
    nonsense: list[Answer] = [{"scores": torch.zeros(3)}, {"scores": "all"}, {"basis": 1}, {}]
    for bad in nonsense:
        (result,) = judged(small, tmp_path, answering(small, {"0": bad})).results
        assert (result.status, result.metrics) == ("failed", {})
        assert result.reason.startswith("Expected")


def test_what_is_wrong_is_told_in_one_short_line(small_variables: Small, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {
        name: fields | {"site": "steer\n\x1b[2J" * 1000} for name, fields in small_variables.answers[TASK].items()
    }
    (result,) = judged(small_variables, tmp_path, answering(small_variables, answers)).results
    assert result.status == "failed"
    assert len(result.reason) <= 300
    assert result.reason.isprintable()


@pytest.mark.parametrize(
    "basis",
    [
        torch.full((1, 1), 1e300, dtype=torch.float64),
        torch.full((1, 1), 1e-300, dtype=torch.float64),
        torch.zeros(0, 1),
        torch.ones(1, 1, dtype=torch.int64),
    ],
)
def test_a_basis_that_is_none_fails_its_cell(small_variables: Small, tmp_path: Path, basis: torch.Tensor) -> None:
    first = small_variables.answers[TASK]["0"]["basis"]
    assert isinstance(first, torch.Tensor)
    wide = basis.expand(len(first), 1) if basis.numel() else basis
    answers = {name: fields | {"basis": wide.clone()} for name, fields in small_variables.answers[TASK].items()}
    (result,) = judged(small_variables, tmp_path, answering(small_variables, answers)).results
    assert result.status == "failed"
    assert "basis" in result.reason or "orthonormal" in result.reason


@pytest.mark.parametrize(
    ("suite", "complaint"),
    [
        ({"version": 4}, "expected answers to one 4, got answers to one 3"),
        ({"name": "two"}, "expected answers to two 3, got answers to one 3"),
        ({"description": "Another."}, "one of that name with another content"),
        ({"tasks": {TASK: "0" * 64}}, "another content"),
    ],
)
def test_answers_to_another_suite_are_refused(
    small: Small, tmp_path: Path, suite: dict[str, Any], complaint: str
) -> None:
    other = small.suite.model_copy(update=suite)
    with pytest.raises(PeabenchError, match=complaint):
        judge(read_archive(small.write(tmp_path)), other, small.tasks, "verified")


def rewritten(small: Small, document: Any, suite: Suite | None = None) -> bytes:
    from peabench.questions import question_hash

    if suite is not None:
        document["suite"]["sha256"] = suite_hash(suite)
    loose = Submission.model_construct(**document)
    for cell in document["cells"]:
        key = small.submission.key(small.submission.cells[0]).model_copy(
            update={
                "task": cell["task"],
                "content_hash": cell["content_hash"],
                "track_version": loose.track_version,
                "track": loose.track,
            }
        )
        cell["questions"] = {name: question_hash(key, name) for name in cell.get("questions", {})}
    submission = Submission.model_validate_json(json.dumps(document))
    return archive_of(submission, {cell.task: small.answers[TASK] for cell in submission.answered})


def test_a_tampered_task_is_refused(small: Small, tmp_path: Path) -> None:
    content = rewritten(small, changed(small, "cells", 0, "content_hash", value="1" * 64))
    with pytest.raises(PeabenchError, match="about another content of it"):
        judged(small, tmp_path, content)


def test_another_version_of_the_track_is_refused(small: Small, tmp_path: Path) -> None:
    content = rewritten(small, changed(small, "track_version", value=99))
    with pytest.raises(PeabenchError, match=r"expected answers to version \d+ of circuits, got version 99"):
        judged(small, tmp_path, content)


def test_a_missing_and_an_extra_task_are_refused(small: Small, tmp_path: Path) -> None:
    document = json.loads(small.submission.content())
    document["cells"][0]["task"] = "boolean/tree-xs-9"
    with pytest.raises(PeabenchError, match="got none for boolean/tree-xs-0"):
        judged(small, tmp_path, rewritten(small, document))
    document = json.loads(small.submission.content())
    document["cells"].append(document["cells"][0] | {"task": "boolean/tree-xs-9"})
    with pytest.raises(PeabenchError, match="got one for boolean/tree-xs-9 too"):
        judged(small, tmp_path, rewritten(small, document))


def test_missing_and_extra_questions_are_refused(small_variables: Small, tmp_path: Path) -> None:
    from peabench.questions import question_hash

    key = small_variables.submission.key(small_variables.submission.cells[0])
    whole = small_variables.answers[TASK]
    fewer = {name: answer for name, answer in whole.items() if name != "0.twin"}
    more = whole | {"7": whole["0"]}
    for answers, complaint in ((fewer, "got none to '0.twin'"), (more, "got one to '7', which was not asked")):
        document = json.loads(small_variables.submission.content())
        document["cells"][0]["questions"] = {name: question_hash(key, name) for name in answers}
        document["cells"][0]["answer_hash"] = answer_hash(answers)
        submission = Submission.model_validate_json(json.dumps(document))
        with pytest.raises(PeabenchError, match=complaint):
            judged(small_variables, tmp_path, archive_of(submission, {TASK: answers}))


def test_grading_imports_no_scorer_and_unpickles_nothing(small: Small, tmp_path: Path) -> None:
    """In a fresh process where unpickling, and importing what loads scorers, raise."""
    path = small.write(tmp_path)
    (tmp_path / "suite").write_text(small.suite.model_dump_json())
    program = f"""
import sys, pathlib
class Refuse:
    def find_spec(self, name, *rest):
        banned = ("peabench_baselines", "peabench.discovery", "peabench.answering", "peabench.cells", "peabench.runner")
        if name.startswith(banned):
            raise RuntimeError(name)
sys.meta_path.insert(0, Refuse())
from peabench.catalogue import installed_tasks
from peabench.suites import Suite
from peabench.tasks import load_task
from peabench_leaderboard.submissions.archive import read_archive
from peabench_leaderboard.submissions.judging import judge
import pickle, _pickle
def refuse(*_, **__): raise RuntimeError("unpickled")
pickle.loads = pickle.load = _pickle.loads = _pickle.load = pickle.Unpickler = refuse
suite = Suite.model_validate_json(pathlib.Path({str(tmp_path / "suite")!r}).read_text())
tasks = {{task.id: load_task(task.folder) for task in installed_tasks() if task.id in suite.tasks}}
found = judge(read_archive(pathlib.Path({str(path)!r})), suite, tasks, "verified")
print(found.results[0].metrics["score"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == small.score


def test_a_pickle_in_place_of_answers_is_not_run(small: Small, tmp_path: Path) -> None:
    from tests.leaderboard.submissions.test_archive import resealed

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    path = small.write(tmp_path, resealed(small, answers=pickle.dumps(Trap())))
    with pytest.raises(PeabenchError):
        read_archive(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_submission_stands_on_a_board_once(small: Small, tmp_path: Path) -> None:
    board = tmp_path / "board"
    assert put_on_board(judged(small, tmp_path, how="self-reported"), board) == "added"
    before = (board / "manifest.json").read_bytes()
    assert put_on_board(judged(small, tmp_path, how="self-reported"), board) == "unchanged"
    assert (board / "manifest.json").read_bytes() == before
    assert put_on_board(judged(small, tmp_path), board) == "verified"
    assert put_on_board(judged(small, tmp_path), board) == "unchanged"
    assert put_on_board(judged(small, tmp_path, how="self-reported"), board) == "unchanged"
    results, problems = read_all(board)
    assert (len(results), problems, altered(board)) == (1, [], [])
    (result,) = results
    assert result.verification == "verified"
    document = read_collected(board / "circuits" / "small.one-3.json")
    assert document.submitter is not None
    assert document.submitter.submission == small.submission.id


def test_another_version_replaces_its_authors_own_alone(small: Small, tmp_path: Path) -> None:
    board = tmp_path / "board"
    put_on_board(judged(small, tmp_path), board)
    scores: Answer = {"scores": small.answers[TASK]["0"]["scores"] * 2 + 1}  # type: ignore[operator]
    newer = answering(small, {"0": scores})
    with pytest.raises(PeabenchError, match="A verified result of small stands"):
        put_on_board(judged(small, tmp_path, newer, "self-reported"), board)
    stranger = answering(small, {"0": scores}, authors=["Somebody Else"])
    with pytest.raises(PeabenchError, match=r"stands on the board already, for A\. Nyone"):
        put_on_board(judged(small, tmp_path, stranger), board)
    assert put_on_board(judged(small, tmp_path, newer), board) == "replaced"
    assert len(read_all(board)[0]) == 1


@pytest.mark.parametrize("name", ["oracle", "structural-null", "random-edges"])
def test_nobody_calls_a_method_as_a_reference(small: Small, tmp_path: Path, name: str) -> None:
    content = archive_of(small.submission.model_copy(update={"name": name}), small.answers)
    with pytest.raises(PeabenchError, match="belongs to a reference of the track circuits"):
        put_on_board(judged(small, tmp_path, content), tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_where_it_would_stand_is_told_in_one_sentence(small: Small, tmp_path: Path) -> None:
    own = judged(small, tmp_path)
    best = [
        result.model_copy(update={"key": result.key.model_copy(update={"scorer": "best"}), "metrics": {SCORE: 0.9}})
        for result in own.results
    ]
    rows, row = standing_among(own, [*best, *own.results])
    assert [found.scorer for found in rows] == ["best", "small"]
    told = in_one_sentence(rows, row)
    assert told.startswith("small would stand at rank 2 of 2 methods")
    assert f"with a score of {small.score:.3f}" in told
