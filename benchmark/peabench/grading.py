"""Grading answers that are stored: the same score as when they were given, without running their scorer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peabench.answers import Answer
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.isolation import one_thread
from peabench.results import CellKey
from peabench.seeds import seed_of

if TYPE_CHECKING:
    from peabench.tasks import Task


def questions_of(key: CellKey, task: "Task") -> list[Any]:
    """The questions of a cell, the same every time.

    Raises:
        PeabenchError: the track has none for this task.
    """
    from peabench import tracks

    questions = tracks.get(key.track).questions(task, seed_of("question", key.track, key.task, key.seed))
    if not questions:
        raise PeabenchError(f"The track {key.track} has no question for {key.task}.")
    return questions


def regrade(key: CellKey, folder: Path, answers: Sequence[Answer]) -> list[dict[str, float]]:
    """The metrics of each stored answer of a cell.

    Selectivity is not among them: it needs answers about the task's twin, which are not stored.

    Args:
        key: of the cell.
        folder: of its task.
        answers: from `peabench.answers.read_answers`.

    Raises:
        InvalidAnswer: they are not answers to the cell's questions.
    """
    from peabench import tracks
    from peabench.tasks import load_task

    track, task = tracks.get(key.track), load_task(folder)
    graded = []
    with one_thread():
        questions = questions_of(key, task)
        if len(answers) != len(questions):
            raise InvalidAnswer(f"Expected {len(questions)} answers to {key.task}, got {len(answers)}; answer each.")
        for index, (question, fields) in enumerate(zip(questions, answers, strict=True)):
            try:
                answer = track.answer_type(**fields)
            except TypeError as error:
                raise InvalidAnswer(
                    f"Expected the fields of an answer of {key.track}, got {', '.join(sorted(fields))} ({error})."
                ) from None
            graded.append(dict(track.grade(task, index, question, answer)))
    return graded
