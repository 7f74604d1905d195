"""One cell, scorer x task: its questions are made here and its answers graded here, beside the truth.

Its scorer answers in another process (`peabench.answering`); a track's references, which see the truth by right, here.
"""

import traceback as tracebacks
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from peabench.answering import (
    Answered,
    Asked,
    Declined,
    answered,
    ask_each,
    guarded,
    moved,
    reason_of,
)
from peabench.answers import WHOLE, AnswerFile, encode
from peabench.discovery import ScorerEntry
from peabench.environment import environment
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.grading import grade_cell, refuse_other_questions
from peabench.plain import Answer
from peabench.questions import answering_seed, is_twin, questions_of
from peabench.results import CellKey, CellResult, Cost, Status, answer_hash, mean_metrics, one_line, storable

if TYPE_CHECKING:
    from peabench.tasks import Task

WITHHELD = "The truth of the task is withheld."


@dataclass(frozen=True)
class Cell:
    """One cell of a run, light enough to be sent to another process."""

    key: CellKey
    scorer: ScorerEntry
    suite: str
    folder: Path
    others: tuple[Path, ...]
    """Folders of the run's other tasks of the track, for its references."""
    problem: str = ""
    """Why the cell cannot be run at all."""
    provenance: str = ""
    """Of the task."""


@dataclass(frozen=True)
class Outcome:
    """What running a cell gives."""

    result: CellResult
    answers: bytes = b""
    """Content of the cell's answer file (`peabench.answers.encode`); empty where it has no answers."""

    def to_bytes(self) -> bytes:
        """The result as one line of JSON, then the answers."""
        return self.result.model_dump_json().encode() + b"\n" + self.answers

    @classmethod
    def from_bytes(cls, content: bytes) -> "Outcome":
        """What `to_bytes` gave."""
        result, _, answers = content.partition(b"\n")
        return cls(CellResult.model_validate_json(result), answers)


class Examination:
    """A cell with its task: asks the questions, and grades the answers.

    Raises:
        PeabenchError: the cell cannot be run, or its task is damaged.
    """

    def __init__(self, cell: Cell) -> None:
        from peabench.tasks import load_task

        if cell.problem:
            raise PeabenchError(cell.problem)
        self.cell = cell
        self.task: Task = load_task(cell.folder)
        self.questions = questions_of(cell.key, self.task)

    def asked(self) -> Asked:
        """What the scorer's process is to be told: copies of the questions, which hold neither task nor truth."""
        bare = {name: replace(moved(question, "cpu"), generator=None) for name, question in self.questions.items()}
        return Asked(self.cell.scorer, self.cell.key.device, bare, self._seeds())

    def referred(self, timeout: float | None = None) -> Answered:
        """The answers of a track's reference."""
        reference: Any = self.cell.scorer.create()
        others = OtherTasks(self.cell.others)

        def ask_all() -> Answered:
            if not self.task.has_truth:
                raise Declined(WITHHELD)
            device, seeds = self.cell.key.device, self._seeds()
            return ask_each(
                self.questions, seeds, device, lambda question: reference.answer(question, self.task, others)
            )

        return guarded(ask_all, timeout)

    def outcome(self, given: Answered) -> Outcome:
        """The answers with their grade; where the task's truth is withheld they are not graded."""
        if given.report.status != "answered":
            return Outcome(outcome(self.cell, **given.report.model_dump(exclude={"costs"})))
        try:
            answers = AnswerFile(given.answers).answers(WHOLE)
            refuse_other_questions(self.cell.key, list(self.questions), list(answers))
            if set(given.report.costs) != set(answers):
                raise InvalidAnswer("Expected the cost of each answer, got others.")
            return self._graded(answers, given.report.costs)
        except Exception as error:
            return failure(self.cell, error)

    def _graded(self, answers: dict[str, Answer], costs: dict[str, Cost]) -> Outcome:
        measurements: dict[str, Any] = {
            "cost": together([cost for name, cost in costs.items() if not is_twin(name)]),
            "answer_hash": answer_hash(answers),
        }
        if self.task.has_truth:
            graded = grade_cell(self.cell.key, self.task, answers, self.questions)
            measurements |= {"metrics": mean_metrics(graded), "questions": graded}
            found = outcome(self.cell, "ok", **measurements)
        else:
            found = outcome(self.cell, "answered", reason=WITHHELD, **measurements)
        return Outcome(found, encode({WHOLE: answers}))

    def _seeds(self) -> dict[str, int]:
        return {name: answering_seed(self.cell.key, name) for name in self.questions}


class OtherTasks(Sequence["Task"]):
    """The other tasks of a run, each loaded when it is first looked at."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders

    def __len__(self) -> int:
        return len(self.folders)

    @overload
    def __getitem__(self, index: int) -> "Task": ...
    @overload
    def __getitem__(self, index: slice) -> "OtherTasks": ...
    def __getitem__(self, index: int | slice) -> "Task | OtherTasks":
        if isinstance(index, slice):
            return OtherTasks(self.folders[index])
        return _kept_task(self.folders[index])


def run_cell(cell: Cell, timeout: float | None = None) -> Outcome:
    """Ask, answer and grade one cell in this very process, where nothing keeps the scorer from the truth."""
    try:
        examination = Examination(cell)
    except Exception as error:
        return failure(cell, error)
    if is_reference(cell):
        return examination.outcome(examination.referred(timeout))
    return examination.outcome(answered(examination.asked(), timeout))


def is_reference(cell: Cell) -> bool:
    """Whether the cell is of a track's own reference, which is not kept from the truth."""
    return cell.scorer.origin == "track"


def outcome(cell: Cell, status: Status, reason: str = "", traceback: str = "", **measurements: Any) -> CellResult:
    """The result of a cell."""
    return CellResult(
        key=cell.key,
        role=cell.scorer.role,
        suite=cell.suite,
        provenance=cell.provenance,
        status=status,
        reason=one_line(reason) or ("" if status == "ok" else "It gave no reason."),
        traceback=traceback,
        environment=environment(cell.key.device),
        **measurements,
    )


def together(costs: Sequence[Cost]) -> Cost:
    """The cost of several answers given one after another."""
    return Cost(
        forward_passes=sum(cost.forward_passes for cost in costs),
        backward_passes=sum(cost.backward_passes for cost in costs),
        wall_seconds=sum(cost.wall_seconds for cost in costs),
        peak_memory_bytes=max(cost.peak_memory_bytes for cost in costs),
    )


def failure(cell: Cell, error: BaseException) -> Outcome:
    """The outcome of a cell whose questions could not be made, or whose answers could not be graded."""
    trace = "" if cell.problem else storable("".join(tracebacks.format_exception(error)))
    return Outcome(outcome(cell, "failed", reason=reason_of(error), traceback=trace))


@cache
def _kept_task(folder: Path) -> "Task":
    from peabench.tasks import load_task

    return load_task(folder)
