"""Grading a submission: whether it answers this very suite, and what its answers earn. Nobody's code is run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peabench.answers import encode
from peabench.collected import Collected, Submitter
from peabench.collecting import document_of
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.grading import grade_cell, refuse_other_questions
from peabench.isolation import one_thread
from peabench.questions import questions_of
from peabench.results import CellResult, Verification, mean_metrics, one_line
from peabench.suites import Suite
from peabench_leaderboard.submissions.archive import Submitted
from peabench_leaderboard.submissions.submission import Submission, SubmittedCell, suite_hash

if TYPE_CHECKING:
    from peabench.tasks import Task


@dataclass(frozen=True)
class Judged:
    """A graded submission, as it stands among collected results."""

    document: Collected
    answers: bytes

    @property
    def results(self) -> list[CellResult]:
        """Of its cells."""
        return self.document.results()


def judge(
    submitted: Submitted,
    suite: Suite,
    tasks: Mapping[str, "Task"],
    verification: Verification,
    on_graded: Callable[[str], None] = lambda task: None,
) -> Judged:
    """Grade a submission. The same submission gives the same results.

    An answer that its track cannot grade, such as a basis that is not orthonormal, is a failure of its cell.

    Args:
        submitted: read from its archive.
        suite: the one that it must be of.
        tasks: the suite's tasks by id, with their truth.
        verification: whether who grades is whom readers of the board rely on.
        on_graded: called with each task when its cell is done.

    Raises:
        PeabenchError: it is of another suite, version, track or task, or answers other questions.
    """
    submission = submitted.submission
    refuse_other_suite(submission, suite, tasks)
    results = []
    for cell in submission.cells:
        results.append(_graded(submitted, cell, suite, tasks[cell.task]))
        on_graded(cell.task)
    author = Submitter(submission=submission.id, authors=submission.authors, url=submission.url)
    document = document_of(results, suite, verification).model_copy(update={"submitter": author})
    names = {cell.task: cell.name for cell in document.cells}
    return Judged(document, encode({names[cell.task]: submitted.answers(cell) for cell in submission.answered}))


def refuse_other_answers(submitted: Submitted, suite: Suite, tasks: Mapping[str, "Task"]) -> None:
    """Refuse what could not be graded, without grading it: tasks need not have their truth.

    Raises:
        PeabenchError: as `judge` does.
    """
    refuse_other_suite(submitted.submission, suite, tasks)
    for cell in submitted.submission.answered:
        _asked(submitted, cell, tasks[cell.task])


def refuse_other_suite(submission: Submission, suite: Suite, tasks: Mapping[str, "Task"]) -> None:
    """Refuse a submission that does not answer a suite as it is here.

    Raises:
        PeabenchError: it says why.
    """
    from peabench import tracks

    told, here = submission.suite.label, f"{suite.name} {suite.version}"
    if told != here:
        raise refused(submission, f"expected answers to {here}, got answers to {told}; run it on {here}")
    if submission.suite.sha256 != suite_hash(suite):
        raise refused(submission, f"expected {here} as it is here, got one of that name with another content")
    if submission.track not in tracks.names():
        raise refused(
            submission, f"expected answers of a track ({', '.join(tracks.names())}), got {submission.track!r}"
        )
    version = tracks.get(submission.track).version
    if submission.track_version != version:
        raise refused(
            submission,
            f"expected answers to version {version} of {submission.track}, got version {submission.track_version}; run "
            "it again with this release",
        )
    asked = {name for name, task in tasks.items() if submission.track in task.record.tracks and name in suite.tasks}
    _refuse_other_tasks(submission, suite, asked)


def refused(submission: Submission, complaint: str) -> PeabenchError:
    """Why a submission is not graded."""
    return PeabenchError(f"The submission {submission.name} was refused: {complaint.rstrip('.')}.")


def _refuse_other_tasks(submission: Submission, suite: Suite, asked: Iterable[str]) -> None:
    here = set(asked)
    given = {cell.task: cell for cell in submission.cells}
    if missing := sorted(here - set(given)):
        raise refused(
            submission, f"expected a cell for each of the {len(here)} tasks of {suite.name}, got none for {missing[0]}"
        )
    if extra := sorted(set(given) - here):
        raise refused(submission, f"expected cells for the tasks of {suite.name}, got one for {extra[0]} too")
    for task, cell in given.items():
        if cell.content_hash != suite.tasks[task]:
            raise refused(
                submission,
                f"expected answers about the {task} that {suite.name} {suite.version} froze, got them about another "
                "content of it; restore the task and run it again",
            )


def _asked(submitted: Submitted, cell: SubmittedCell, task: "Task") -> dict[str, Any]:
    """The questions of a cell, which must be those that are answered."""
    key = submitted.submission.key(cell)
    with one_thread():
        asked = questions_of(key, task)
    try:
        refuse_other_questions(key, list(asked), list(cell.questions))
    except InvalidAnswer as error:
        raise refused(submitted.submission, str(error)) from None
    return asked


def _graded(submitted: Submitted, cell: SubmittedCell, suite: Suite, task: "Task") -> CellResult:
    submission = submitted.submission
    told: dict[str, object] = {"status": cell.status, "reason": cell.reason}
    if cell.status == "answered":
        told = {"cost": cell.cost, "answer_hash": cell.answer_hash}
        answers = submitted.answers(cell)
        asked = _asked(submitted, cell, task)
        try:
            questions = grade_cell(submission.key(cell), task, answers, asked)
            told |= {"status": "ok", "questions": questions, "metrics": mean_metrics(questions)}
        except InvalidAnswer as error:
            told = {"status": "failed", "reason": one_line(str(error))}
    return CellResult.model_validate(
        {
            "key": submission.key(cell),
            "role": "method",
            "suite": f"{suite.name} {suite.version}",
            "provenance": task.record.provenance,
            "environment": submission.environments[cell.environment],
        }
        | told
    )
