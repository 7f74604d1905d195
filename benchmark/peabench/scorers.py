"""The contract of a scorer: an interpretability method that answers one track's questions."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Literal, TypeVar

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a scorer may be called."""

Role = Literal["method", "null", "ceiling", "oracle"]
"""A scorer is a method, or a null if its track names it so; all others are a track's own references: its oracle, which
answers with the truth, a ceiling, which is told more than any method, and nulls."""


class Scorer(ABC, Generic[QuestionT, AnswerT]):
    """An interpretability method. Subclass it, name it and its track, and write `score`.

    The harness makes a fresh instance without arguments for every cell (scorer x task), so an instance carries nothing
    from one network to the next. All randomness comes from `question.generator`. The question is a copy; the
    network's weights are left as they were found.

    >>> class Constant(Scorer[object, list[float]]):
    ...     name = "constant"
    ...     track = "circuits"
    ...     reference = "doctest"
    ...
    ...     def score(self, question: object) -> list[float]:
    ...         return [0.0]
    >>> Constant().score(question=None)
    [0.0]
    """

    name: ClassVar[str]
    """As it stands on the board: at most 64 lower-case letters, digits, `.`, `_` and `-`."""
    track: ClassVar[str]
    """The one track whose questions it answers."""
    reference: ClassVar[str]
    """The paper or page that describes the method."""
    version: ClassVar[str] = "1"
    """Raise it when answers change for a reason that is not in the scorer's own source, such as another library:
    results of another version, source or parameters are not reused."""
    deterministic: ClassVar[bool] = True
    """Whether the same question with the same generator state gives the same answer."""
    needs_gradients: ClassVar[bool] = False
    """Whether it runs backward passes."""
    gauge_invariant: ClassVar[bool] = False
    """Whether other weights that compute the same earn the same score; `peabench check` holds it to that."""
    supervision: ClassVar[str] = "none"
    """What it learns from beside the network, in a few words."""
    role: ClassVar[Literal["method", "null"]] = "method"
    """`null` only where the track names the scorer among its `nulls`: all scores are compared with theirs."""

    def applicable(self, question: QuestionT) -> str | None:
        """The reason why this method declines the question, or None where it answers it."""
        return None

    @abstractmethod
    def score(self, question: QuestionT) -> AnswerT:
        """Answer the question with data only: arrays, numbers and names."""
