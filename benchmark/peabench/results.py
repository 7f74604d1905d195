"""Results: what one cell (scorer x task) gave, stored as one JSON file that says what it was made from.

Beside it stand the cell's answers (`peabench.answers`), in a safetensors file of the same name.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from peabench.documents import read_document
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.scorers import Role
from peabench.storage import write_whole

if TYPE_CHECKING:
    import numpy as np

Status = Literal["ok", "answered", "declined", "failed"]
"""`ok`: answered and graded. `answered`: not graded, as the truth of the task is withheld."""
Verification = Literal["verified", "self-reported"]
"""Whether the maintainers computed or graded a result themselves, or only its author vouches for it."""

SCORE = "score"
"""The metric that standings are made from: chance is 0, the truth itself is 1."""

BEST = 1.0
ROUNDING = 1e-6
REASON_LENGTH = 300
Amount = Annotated[float, Field(ge=0, le=1e18)]


class CellKey(BaseModel):
    """All that a cell's outcome depends on. A stored result is reused only if every field agrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    track: str
    track_version: int
    scorer: str
    scorer_version: str
    source_hash: str
    """Of the scorer's source and parameters, see `peabench.identity`; empty for a track's reference."""
    task: str
    content_hash: str
    others_hash: str
    """Of the run's other tasks, for the track's references, which may learn from them; empty for a scorer."""
    seed: int
    device: str

    @property
    def family(self) -> str:
        """The task's family."""
        return self.task.partition("/")[0]

    @property
    def file(self) -> Path:
        """Where the result stands in its folder: seeds and devices side by side, a new version in place of the old."""
        return Path(self.track) / self.scorer / f"{self.task.replace('/', '--')}.seed-{self.seed}.{self.device}.json"

    @property
    def answers_file(self) -> Path:
        """Where the cell's answers stand: beside its result."""
        return self.file.with_suffix(".safetensors")


class Cost(BaseModel):
    """What answering a cell's questions took; grading is not in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forward_passes: Amount
    """Example-passes, counted by the network."""
    backward_passes: Amount
    wall_seconds: Amount
    peak_memory_bytes: Annotated[int, Field(ge=0, lt=2**63)]
    """Above what the process held when the scorer began."""


class CellResult(BaseModel):
    """The outcome of one cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    key: CellKey
    role: Role
    suite: str
    provenance: str = ""
    """Of the task: `constructed`, `planted` or `derived`."""
    status: Status
    reason: str = ""
    """Why the cell was declined, failed or not graded, in one line."""
    traceback: str = ""
    metrics: dict[str, FiniteFloat] = {}
    """Means over the task's questions."""
    questions: list[dict[str, FiniteFloat]] = []
    """The metrics of each question."""
    cost: Cost | None = None
    answer_hash: str = ""
    """Of the plain answers by question, as `answer_hash` computes it."""
    environment: dict[str, str] = {}
    verification: Verification = Field("self-reported", exclude=True)
    """What the file of collected results that it stands in says; a run's own file has no say in it."""

    @property
    def answered(self) -> bool:
        """Whether there are answers, graded or not."""
        return self.status in ("ok", "answered")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.status == "ok" and (SCORE not in self.metrics or self.cost is None):
            raise ValueError("a result with status 'ok' must have metrics.score and cost")
        if self.status == "answered" and (self.metrics or self.questions or self.cost is None):
            raise ValueError("a result with status 'answered' must have cost and no metrics")
        if any(found.get(SCORE, 0.0) > BEST + ROUNDING for found in (self.metrics, *self.questions)):
            raise ValueError(f"a score must be at most {BEST:g}, which the truth itself earns")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a result with status {self.status!r} must have a reason")
        return self


def save(result: CellResult, folder: Path, answers: bytes = b"") -> Path:
    """Write a result to its place in one step: a reader sees the old file or the new one, never a part of it.

    The answers are written before the result that names their hash, so that a result never stands without them; old
    answers beside a new result that has none are removed after it.

    Args:
        result: of one cell.
        folder: of the run.
        answers: content of the cell's answer file, from `peabench.answers.encode`; empty where it has none.

    Raises:
        PeabenchError: the folder cannot be written.
    """
    file = folder / result.key.file
    try:
        if answers:
            write_whole(folder / result.key.answers_file, answers)
        write_whole(file, (result.model_dump_json(indent=1) + "\n").encode())
        if not answers:
            (folder / result.key.answers_file).unlink(missing_ok=True)
    except OSError as error:
        raise PeabenchError(
            f"The result {file} could not be written ({error.strerror}); mend the folder or name another with --out."
        ) from error
    return file


def read(file: Path) -> CellResult:
    """One stored result.

    Raises:
        PeabenchError: the file cannot be read, a field of it is wrong, it stands in the place of another cell, or it
            calls itself verified, which only collected results can be.
    """
    result = read_document(file, CellResult, "result")
    if result.verification != "self-reported":
        raise PeabenchError(f"The result {file} of a run calls itself {result.verification}; delete that field of it.")
    if file.parts[-3:] != result.key.file.parts:
        raise PeabenchError(f"The result {file} says that it belongs at {result.key.file}; move it there or delete it.")
    return result


def read_all(folder: Path) -> tuple[list[CellResult], list[str]]:
    """Every stored result of a folder, a run's or one of collected results, and one sentence for each bad file.

    A bad file does not hide the others; its cells are missing from their scorer's coverage.

    Raises:
        PeabenchError: there is no such folder.
    """
    from peabench.collected import read_folder

    if not folder.is_dir():
        raise PeabenchError(f"There is no folder of results {folder}; `peabench run --out {folder}` makes one.")
    results, problems = read_folder(folder)
    for file in sorted(folder.glob("*/*/*.json")):
        if file.name.startswith("."):
            continue
        try:
            results.append(read(file))
        except PeabenchError as error:
            problems.append(str(error))
    return results, problems


def finished(key: CellKey, folder: Path) -> CellResult | None:
    """The stored result of exactly this key, if it was answered; what failed or was declined is tried again.

    A result whose answers are missing or not its own counts as none.
    """
    from peabench.answers import read_answers

    try:
        result = read(folder / key.file)
        if result.key != key or result.status in ("failed", "declined"):
            return None
        read_answers(folder, key)
    except PeabenchError:
        return None
    return result


def mean_metrics(questions: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over the questions that have it.

    Raises:
        InvalidAnswer: a metric is not finite, or a question lacks the score.
    """
    values: dict[str, list[float]] = {}
    for metrics in questions:
        if SCORE not in metrics:
            raise InvalidAnswer("The track's grade lacks the metric 'score'.")
        for name, value in metrics.items():
            if not isfinite(value):
                raise InvalidAnswer(f"The track's grade has {name} = {value}; every metric must be finite.")
            values.setdefault(name, []).append(float(value))
    return {name: sum(found) / len(found) for name, found in values.items()}


def one_line(text: str) -> str:
    """A text cut to one line of at most 300 characters."""
    line = " ".join(storable(text).split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def storable(text: str) -> str:
    """A text without what UTF-8 cannot hold, such as lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def answer_hash(answer: object) -> str:
    """SHA-256 of an answer's canonical bytes: the same data gives the same hash on every machine.

    An answer is made of tensors, arrays, numbers, texts and None, in dataclasses, pydantic models, lists and mappings.

    >>> answer_hash({"a": 1, "b": [0.5]}) == answer_hash({"b": [0.5], "a": 1})
    True

    Raises:
        InvalidAnswer: it holds anything else.
    """
    digest = hashlib.sha256()
    for chunk in _canonical(answer):
        digest.update(f"{len(chunk)}:".encode())
        digest.update(chunk)
    return digest.hexdigest()


def _canonical(value: Any) -> Iterable[bytes]:
    if value is None or isinstance(value, bool | int | float | str):
        yield type(value).__name__.encode()
        yield json.dumps(value).encode()
    elif isinstance(value, BaseModel):
        yield from _canonical({name: getattr(value, name) for name in type(value).model_fields})
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _canonical({field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, list | tuple):
        yield f"list {len(value)}".encode()
        for item in value:
            yield from _canonical(item)
    elif isinstance(value, dict):
        yield f"map {len(value)}".encode()
        for name in sorted(value, key=str):
            yield from _canonical(str(name))
            yield from _canonical(value[name])
    else:
        array = _as_array(value)
        yield f"array {array.dtype.kind}{array.dtype.itemsize} {array.shape}".encode()
        yield array.astype(array.dtype.newbyteorder("<"), order="C").tobytes()


def _as_array(value: Any) -> "np.ndarray[Any, Any]":
    import numpy as np

    if hasattr(value, "detach"):
        import torch

        value = value.detach().cpu().resolve_conj()
        value = (value.float() if value.dtype is torch.bfloat16 else value).numpy()  # NumPy has no bfloat16
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise InvalidAnswer(f"An answer must be data (arrays, numbers, texts), but holds a {type(value).__name__}.")
    return value
