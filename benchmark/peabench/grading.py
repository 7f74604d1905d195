"""From answers to metrics. Runs, verification and submissions are all graded here, from answers that are plain data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from peabench.errors import InvalidAnswer
from peabench.isolation import one_thread
from peabench.plain import Answer
from peabench.questions import TWIN, index_of, is_twin, questions_of
from peabench.results import SCORE, CellKey

if TYPE_CHECKING:
    from peabench.tasks import Task


def grade_cell(
    key: CellKey, task: "Task", answers: Mapping[str, Answer], questions: Mapping[str, Any] | None = None
) -> list[dict[str, float]]:
    """The metrics of the answer to each question of a cell, in order.

    Where a question is asked about the task's twin too, *selectivity* is among them: the score less the score on the
    twin. What a scorer earns on a network that computes nothing of the kind is not insight into the trained one.

    Args:
        key: of the cell.
        task: with its truth.
        answers: plain answers by question, those about the twin included.
        questions: from `questions_of`, where the caller has them already.

    Raises:
        InvalidAnswer: they are not answers to the cell's questions.
    """
    from peabench import tracks

    track = tracks.get(key.track)
    with one_thread():
        asked = questions_of(key, task) if questions is None else questions
        refuse_other_questions(key, list(asked), list(answers))

        def metrics_of(name: str) -> dict[str, float]:
            return dict(track.grade(task, index_of(name), asked[name], _typed(key, answers[name])))

        graded = []
        for name in asked:
            if is_twin(name):
                continue
            metrics = metrics_of(name)
            if f"{name}{TWIN}" in asked:
                metrics["selectivity"] = metrics[SCORE] - metrics_of(f"{name}{TWIN}")[SCORE]
            graded.append(metrics)
    return graded


def refuse_other_questions(key: CellKey, asked: list[str], answered: list[str]) -> None:
    """Refuse answers that are not to exactly the questions of a cell.

    Raises:
        InvalidAnswer: it names a question without an answer, or an answer without a question.
    """
    missing = [name for name in asked if name not in answered]
    extra = [name for name in answered if name not in asked]
    if missing or extra:
        came = f"none to {missing[0]!r}" if missing else f"one to {extra[0]!r}, which was not asked"
        raise InvalidAnswer(
            f"Expected an answer to each of the {len(asked)} questions of {key.track} about {key.task}, got {came}; "
            "answer each of them once."
        )


def _typed(key: CellKey, fields: Answer) -> Any:
    """An answer as its track wants it."""
    from peabench import tracks

    try:
        return tracks.get(key.track).answer_type(**fields)
    except TypeError as error:
        raise InvalidAnswer(
            f"Expected the fields of an answer of {key.track}, got {', '.join(sorted(fields)) or 'none'} ({error})."
        ) from None
