"""A submission as one file, `NAME.peabench.zip`: JSON, and its answers as safetensors. No code, no pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from peabench.answers import AnswerFile, encode
from peabench.documents import first_complaint
from peabench.errors import PeabenchError
from peabench.plain import Answer
from peabench.results import answer_hash
from peabench.storage import write_whole
from peabench_leaderboard.submissions.container import REMEDY, Container, write_container
from peabench_leaderboard.submissions.submission import Submission, SubmittedCell

SUFFIX = ".peabench.zip"
DOCUMENT = "submission.json"
LARGEST_DOCUMENT = 16 * 2**20
LARGEST_ANSWERS = 192 * 2**20


@dataclass(frozen=True)
class Submitted:
    """A submission that was read from its archive and agrees with itself."""

    submission: Submission
    answer_file: AnswerFile
    path: Path

    def answers(self, cell: SubmittedCell) -> dict[str, Answer]:
        """The answers of one of its answered cells, by question.

        Raises:
            PeabenchError: they are not finite real numbers, or not those that the submission names.
        """
        found = self.answer_file.answers(cell.task)
        if set(found) != set(cell.questions) or answer_hash(found) != cell.answer_hash:
            raise _refused(self.path, f"expected the answers to {cell.task} that {DOCUMENT} names, got others")
        return found


def archive_of(submission: Submission, answers: Mapping[str, Mapping[str, Answer]]) -> bytes:
    """The content of a submission's file. The same submission gives the same bytes.

    Args:
        submission: what it says.
        answers: of each answered cell, by task and question.
    """
    ordered = {cell.task: answers[cell.task] for cell in submission.answered}
    return write_container({DOCUMENT: submission.content(), answers_member(submission.track): encode(ordered)})


def write_archive(path: Path, content: bytes) -> None:
    """Write a submission's file as a whole.

    Raises:
        PeabenchError: it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise PeabenchError(f"The submission {path} could not be written ({error.strerror}); name another file.") from (
            error
        )


def read_archive(path: Path) -> Submitted:
    """A submission from its file, every answer of it looked at. Nothing is written anywhere.

    Raises:
        PeabenchError: one sentence on the first thing that is not as `archive_of` writes it.
    """
    from peabench import tracks

    largest = {DOCUMENT: LARGEST_DOCUMENT} | {answers_member(name): LARGEST_ANSWERS for name in tracks.names()}
    container = Container(path, largest)
    submission = _document(path, container.read(DOCUMENT))
    member = answers_member(submission.track)
    if set(container.members) != {DOCUMENT, member}:
        raise _refused(
            path, f"expected the members {DOCUMENT} and {member}, got {', '.join(sorted(container.members))}"
        )
    answers = AnswerFile(container.read(member), f"in {path}", REMEDY)
    answered = {cell.task for cell in submission.answered}
    if set(answers.cells()) != answered:
        different = sorted(set(answers.cells()) ^ answered)[0]
        raise _refused(path, f"expected answers of the answered cells alone, got others ({different[:200]!r})")
    found = Submitted(submission, answers, path)
    for cell in submission.answered:
        found.answers(cell)
    return found


def answers_member(track: str) -> str:
    """The member that holds the answers of a track."""
    return f"answers/{track}.safetensors"


def _document(path: Path, content: bytes) -> Submission:
    try:
        submission = Submission.model_validate_json(content)
    except ValidationError as error:
        raise _refused(path, f"{DOCUMENT}: {first_complaint(error)[:500]}") from None
    if submission.content() != content:
        raise _refused(path, f"expected {DOCUMENT} in its canonical form, got it in another")
    return submission


def _refused(path: Path, complaint: str) -> PeabenchError:
    return PeabenchError(f"The submission {path} was refused: {complaint}; {REMEDY}.")
