"""What every track has: questions, a grade, and reference answers that see the truth by right."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

from peabench.tasks import Task

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")


class Reference(ABC):
    """An answerer that sees the truth, which no scorer may: an oracle, a ceiling, or a null of other tasks."""

    name: ClassVar[str]
    track: ClassVar[str]
    role: ClassVar[Literal["null", "oracle", "ceiling"]]
    reference: ClassVar[str]
    """The page or paper that describes it."""
    version: ClassVar[str] = "1"
    deterministic: ClassVar[bool] = True

    @abstractmethod
    def answer(self, question: Any, task: Task, others: Sequence[Task]) -> Any:
        """Answer a question of `task`; `others` are the other tasks of the run that serve the track."""


class Track(ABC, Generic[QuestionT, AnswerT]):
    """One question asked of scorers, with its answer type and metric. Questions and answers are data only."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever questions or grades change."""
    headline: ClassVar[str]
    """What `score` measures. Chance is 0 and the truth itself is 1."""
    question_type: ClassVar[type[Any]]
    """The question's dataclass."""
    answer_type: ClassVar[Callable[..., Any]]
    """Makes an answer of its fields, given by name: the answer's dataclass."""
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]]
    collects_answers: ClassVar[bool] = True
    """Whether answers are small enough to travel with collected results; if not, their hash alone does."""
    references: ClassVar[tuple[Reference, ...]]
    nulls: ClassVar[tuple[str, ...]] = ()
    """Names of the scorers, beside its references, that may call themselves nulls: random answers, and what is told by
    the network's outputs alone where the track asks what is inside."""

    @abstractmethod
    def questions(self, task: Task, generator_seed: int) -> list[QuestionT]:
        """The questions of a task. They hold neither the truth nor the task's id."""

    @abstractmethod
    def grade(self, task: Task, index: int, question: QuestionT, answer: AnswerT) -> dict[str, float]:
        """The metrics of an answer to `questions(...)[index]`, `score` among them.

        Raises:
            InvalidAnswer: its shapes are wrong, its numbers are not finite, or it names what was not asked about.
        """

    def twin_question(self, question: QuestionT, task: Task) -> QuestionT | None:
        """The same question about the task's random-init twin, or None where the track or the task has none.

        `grade` grades its answer on the twin. What a scorer earns on a network that computes nothing of the kind is not
        insight into the trained one: *selectivity* is the score less the score on the twin.
        """
        return None


def above(score: float, zero: float) -> float:
    """A score put on the scale on which `zero` is 0 and the truth still 1.

    A track's score is an affine function of its raw metric, so this is (raw - raw of the null) / (1 - raw of the null).

    >>> above(0.75, 0.5)
    0.5

    Raises:
        ValueError: the null is as good as the truth, so that nothing can be above it.
    """
    if zero >= 1:
        raise ValueError(f"expected a null below 1, got {zero}")
    return (score - zero) / (1 - zero)
