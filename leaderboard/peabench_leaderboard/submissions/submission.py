"""What a submission says: who made which method, on which suite, and what became of each of its cells."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from peabench.questions import MOST_QUESTIONS, QUESTION_NAME, question_hash
from peabench.results import CellKey, Cost
from peabench.scorers import NAME
from peabench.suites import Sha256, Suite

SEED = 0
"""Boards are made from the questions of this seed."""
MOST_CELLS = 10_000
LONGEST_PARAMETERS = 65_536
HIGHEST_COST = 2**60


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable signs on one line")
    return text


Line = Annotated[str, StringConstraints(max_length=300), AfterValidator(_printable)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_printable)]
ScorerName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
QuestionName = Annotated[str, StringConstraints(pattern=f"^(?:{QUESTION_NAME.pattern})$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[!-;=?-~]{1,500}$")]
TaskId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}/[a-z0-9_]{1,64}-[a-z0-9]{1,16}-[0-9]{1,9}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Method(_Document):
    """Of the scorer that answered: what its class declares, and what tells it from other versions of itself."""

    name: ScorerName
    version: Words
    source_hash: Sha256
    """Of its source and parameters, see `peabench.identity`. The source itself is not submitted."""
    reference: Words
    deterministic: bool
    needs_gradients: bool
    supervision: Words
    parameters: Annotated[str, StringConstraints(max_length=LONGEST_PARAMETERS), AfterValidator(_printable)] = ""
    """JSON of its parameters."""


class SuiteName(_Document):
    """A suite, down to its bytes."""

    name: ScorerName
    version: Annotated[int, Field(ge=0, lt=10**9)]
    sha256: Sha256
    """Of the suite's document, see `suite_hash`."""

    @property
    def label(self) -> str:
        """As it stands in results."""
        return f"{self.name} {self.version}"


class SubmittedCell(_Document):
    """One task: its answers' hash, or why there are none."""

    task: TaskId
    content_hash: Sha256
    """Of the task as it was answered."""
    status: Literal["answered", "declined", "failed"]
    reason: Line = ""
    questions: Annotated[dict[QuestionName, Sha256], Field(max_length=MOST_QUESTIONS)] = {}
    """SHA-256 of each question that was answered, see `peabench.questions.question_hash`."""
    answer_hash: Sha256 | None = None
    """See `peabench.results.answer_hash`."""
    cost: Cost | None = None
    environment: Annotated[int, Field(ge=0)]
    """Index into the submission's environments."""

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if self.cost is not None and not all(0 <= spent <= HIGHEST_COST for spent in vars(self.cost).values()):
            raise ValueError(f"expected costs between 0 and {HIGHEST_COST}")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = bool(self.questions) and self.answer_hash is not None and self.cost is not None
        nothing = not self.questions and self.answer_hash is None and self.cost is None
        if self.status == "answered" and not given:
            raise ValueError("expected questions, answer_hash and cost of an answered cell")
        if self.status != "answered" and not (nothing and self.reason):
            raise ValueError("expected a reason and nothing else of a cell that is not answered")
        return self


class Submission(_Document):
    """What `submission.json` says. It holds all of a submission but the answers, and a hash of those."""

    schema_version: Literal[1] = 1
    name: ScorerName
    """As it is to stand on the board."""
    authors: Annotated[tuple[Words, ...], Field(min_length=1, max_length=100)]
    url: Address
    track: ScorerName
    track_version: Annotated[int, Field(ge=0, lt=10**9)]
    method: Method
    suite: SuiteName
    device: Literal["cpu", "cuda"]
    environments: Annotated[
        tuple[Annotated[dict[Words, Line], Field(max_length=64)], ...], Field(min_length=1, max_length=1000)
    ]
    cells: Annotated[tuple[SubmittedCell, ...], Field(min_length=1, max_length=MOST_CELLS)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        tasks = [cell.task for cell in self.cells]
        if tasks != sorted(set(tasks)):
            raise ValueError("cells: expected each task once, in the order of their ids")
        if any(cell.environment >= len(self.environments) for cell in self.cells):
            raise ValueError(f"cells: expected environments 0 to {len(self.environments) - 1}")
        for cell in self.cells:
            for name, stated in cell.questions.items():
                if stated != question_hash(self.key(cell), name):
                    raise ValueError(f"cells: question {name!r} of {cell.task} is not the one that its hash names")
        return self

    @property
    def id(self) -> str:
        """SHA-256 of what it says, its answers included by their hashes."""
        return hashlib.sha256(self.content()).hexdigest()

    @property
    def answered(self) -> tuple[SubmittedCell, ...]:
        """Its cells that have answers."""
        return tuple(cell for cell in self.cells if cell.status == "answered")

    def key(self, cell: SubmittedCell) -> CellKey:
        """Of the result of one of its cells."""
        return CellKey(
            track=self.track,
            track_version=self.track_version,
            scorer=self.name,
            scorer_version=self.method.version,
            source_hash=self.method.source_hash,
            task=cell.task,
            content_hash=cell.content_hash,
            others_hash="",
            seed=SEED,
            device=self.device,
        )

    def content(self) -> bytes:
        """Its canonical JSON: the only form in which it is accepted."""
        return _canonical(self.model_dump(mode="json"))


def suite_hash(suite: Suite) -> str:
    """SHA-256 of a suite's document.

    >>> len(suite_hash(Suite(name="none", version=1, description="", tasks={})))
    64
    """
    return hashlib.sha256(_canonical(suite.model_dump(mode="json", exclude_defaults=True))).hexdigest()


def _canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"
