"""Answers as plain data, in safetensors files beside the results that they were graded to. Never code, never pickle.

A file holds the answers of one cell, or of many, each by the name of its question (`peabench.questions`). A tensor is
named after its cell, its question and its field (`0.scores`, `0.twin.scores`; in a file of many cells
`boolean/tree-s-0.seed-0.cpu/0.scores`); texts, numbers and None stand as JSON in the file's metadata.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors
import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from peabench.collected import stored
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.plain import DTYPES, FIELD, LONGEST_TEXT, MOST_DIMENSIONS, Answer
from peabench.questions import MOST_QUESTIONS, QUESTION_NAME
from peabench.results import CellKey, answer_hash

LARGEST_ANSWERS = 64 * 2**20
"""Bytes of one cell's answers."""
LARGEST_FILE = 2**28
LARGEST_HEADER = 2**24
"""Bytes of a file that say what the others are; all that is no tensor stands there too."""
WHOLE = ""
"""The name of the only cell of a file."""
METADATA = "peabench"
_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize
_Name = Annotated[str, Field(pattern=f"^{FIELD.pattern}$")]
_Question = Annotated[str, Field(pattern=f"^(?:{QUESTION_NAME.pattern})$")]
_Plain = StrictBool | StrictInt | FiniteFloat | Annotated[str, Field(max_length=LONGEST_TEXT)] | None


class _Contents(BaseModel):
    """What a file's metadata says: for each cell and question the fields that are no tensors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_version: Literal[2] = 2
    cells: dict[str, Annotated[dict[_Question, dict[_Name, _Plain]], Field(max_length=MOST_QUESTIONS)]]


def encode(cells: Mapping[str, Mapping[str, Answer]]) -> bytes:
    """The content of a file of answers. The same answers give the same bytes.

    Args:
        cells: plain answers by cell and question; the name of a file's only cell is `WHOLE`.

    Raises:
        InvalidAnswer: a cell's answers are more or larger than a file may hold.
    """
    tensors: dict[str, Tensor] = {}
    others: dict[str, dict[str, dict[str, Any]]] = {}
    for cell, answers in cells.items():
        found = {
            _tensor_name(cell, question, name): value
            for question, answer in answers.items()
            for name, value in answer.items()
            if isinstance(value, Tensor)
        }
        size = sum(tensor.nbytes for tensor in found.values())
        if len(answers) > MOST_QUESTIONS or size > LARGEST_ANSWERS:
            raise InvalidAnswer(
                f"Expected at most {MOST_QUESTIONS} answers of together {LARGEST_ANSWERS} bytes, got {len(answers)} of "
                f"{size}; answer smaller arrays."
            )
        tensors |= found
        others[cell] = {
            question: {name: value for name, value in answer.items() if not isinstance(value, Tensor)}
            for question, answer in answers.items()
        }
    contents = _Contents(cells=others).model_dump_json()
    copies = {name: tensors[name].clone(memory_format=torch.contiguous_format) for name in sorted(tensors)}
    content = save(copies, {METADATA: contents})  # safetensors refuses tensors that share memory
    if _header_size(content) > LARGEST_HEADER:
        raise InvalidAnswer(
            f"Expected texts of together at most {LARGEST_HEADER} bytes, got more; answer shorter ones."
        )
    return content


class AnswerFile:
    """A file of answers. No number of it is used before it was looked at.

    Args:
        content: of the file.
        name: what it is called in errors.
        remedy: what its reader is to do about them.

    Raises:
        PeabenchError: it is too large, or not what `encode` writes.
    """

    def __init__(
        self, content: bytes, name: str = "given", remedy: str = "restore the file or run the cell again"
    ) -> None:
        self.name, self._remedy = name, remedy
        if len(content) > LARGEST_FILE or _header_size(content) > LARGEST_HEADER:
            raise self._malformed(
                f"expected at most {LARGEST_FILE} bytes, of which at most {LARGEST_HEADER} are a header, got more"
            )
        try:
            stored = dict(_deserialize(content))
        except SafetensorError as error:
            raise self._malformed(f"expected a safetensors file, got {error}") from None
        metadata = json.loads(content[8 : 8 + _header_size(content)]).get("__metadata__") or {}
        if set(metadata) != {METADATA}:
            raise self._malformed(f"expected metadata {METADATA!r} and no other, got {_some(metadata)}")
        try:
            self._cells = _Contents.model_validate_json(metadata[METADATA]).cells
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the metadata"
            raise self._malformed(f"{place:.200}: {first['msg']}") from None
        self._tensors: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        for tensor, entry in sorted(stored.items()):
            cell, question, field = self._place_of(tensor)
            self._tensors.setdefault((cell, question), {})[field] = entry

    @classmethod
    def read(cls, path: Path) -> "AnswerFile":
        """The file at a path.

        Raises:
            PeabenchError: it is missing, too large, or not what `encode` writes.
        """
        try:
            with path.open("rb") as file:
                return cls(file.read(LARGEST_FILE + 1), str(path))
        except FileNotFoundError:
            raise PeabenchError(f"The answers {path} are missing; restore the file or run the cell again.") from None
        except OSError as error:
            raise PeabenchError(f"The answers {path} could not be read ({error.strerror}); restore the file.") from None

    def cells(self) -> list[str]:
        """Names of its cells."""
        return sorted(self._cells)

    def answers(self, cell: str) -> dict[str, Answer]:
        """The answers of a cell by question.

        Raises:
            PeabenchError: it has none, or they are not finite real numbers.
        """
        if cell not in self._cells:
            raise self._malformed(f"expected answers of the cell {cell!r}, got none")
        return {
            question: others
            | {
                field: self._read(_tensor_name(cell, question, field), entry)
                for field, entry in self._tensors.get((cell, question), {}).items()
            }
            for question, others in self._cells[cell].items()
        }

    def _place_of(self, tensor: str) -> tuple[str, str, str]:
        head, _, field = tensor.rpartition(".")
        cell, _, question = head.rpartition("/")
        fields = self._cells.get(cell, {}).get(question)
        if fields is None or not FIELD.fullmatch(field) or field in fields:
            raise self._malformed(f"expected tensors of the questions that the metadata lists, got {tensor[:200]!r}")
        return cell, question, field

    def _read(self, name: str, entry: dict[str, Any]) -> Tensor:
        dtype, shape = DTYPES.get(entry["dtype"]), entry["shape"]
        if dtype is None or len(shape) > MOST_DIMENSIONS or max(shape, default=0) > LARGEST_FILE:
            raise self._malformed(f"{name}: expected real numbers, got {entry['dtype']} {shape[:16]}")
        data = bytearray(entry["data"])
        value = torch.frombuffer(data, dtype=torch.uint8) if data else torch.zeros(0, dtype=torch.uint8)
        # Any byte may stand in the file; a torch boolean other than 0 and 1 is undefined behaviour.
        if dtype == torch.bool and bool((value > 1).any()):
            raise self._malformed(f"{name}: expected booleans, got other bytes")
        value = value.view(dtype).reshape(shape)
        if not bool(torch.isfinite(value).all()):
            raise self._malformed(f"{name}: expected finite numbers, got NaN or infinity")
        return value

    def _malformed(self, complaint: str) -> PeabenchError:
        return PeabenchError(f"The answers {self.name} are malformed: {complaint}; {self._remedy}.")


def read_answers(folder: Path, key: CellKey) -> dict[str, Answer] | None:
    """The answers of a cell by question, each a mapping from field names to tensors, texts, numbers or None.

    For `circuits` that is `{"scores": [edge]}` in the order of `question.edges`; for `variables` `{"site": str,
    "basis": [d_model, k] or None}`.

    Args:
        folder: a run's, or one of collected results.
        key: of the cell.

    Returns:
        None where the folder has no answered result of exactly this key, or the track's answers are not collected.

    Raises:
        PeabenchError: the result or its answers are damaged, missing or of different runs.
    """
    from peabench import tracks

    found = stored(folder, key)
    if found is None or not found.result.answered:
        return None
    file = _opened(found.answers)
    if found.cell != WHOLE and found.cell not in file.cells() and not tracks.get(key.track).collects_answers:
        return None
    answers = file.answers(found.cell)
    if answer_hash(answers) != found.result.answer_hash:
        raise PeabenchError(
            f"The answers of {key.scorer} to {key.task} in {found.answers} are not those that its result was graded "
            "from; restore both files or run the cell again."
        )
    return answers


def _opened(path: Path) -> AnswerFile:
    """A file of answers, which is read once for all its cells."""
    try:
        status = path.stat()
    except OSError:
        return AnswerFile.read(path)  # which says what is wrong
    return _kept(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _kept(path: Path, _changed: int, _size: int) -> AnswerFile:
    return AnswerFile.read(path)


def _tensor_name(cell: str, question: str, field: str) -> str:
    return f"{cell}/{question}.{field}" if cell else f"{question}.{field}"


def _header_size(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _some(names: Any) -> str:
    return ", ".join(sorted(map(str, names))[:4])[:200] or "none"
