"""Answers as plain data, in safetensors files beside the results that they were graded to. Never code, never pickle.

A file holds the answers of one cell, or of many. A tensor is named after its cell, its question's number and its field
(`0.scores`; in a file of many cells `boolean/tree-s-0.seed-0.cpu/0.scores`); texts, numbers and None stand as JSON
in the file's metadata.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from peabench.collected import stored
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.results import CellKey, answer_hash

Value = Tensor | str | int | float | bool | None
Answer = dict[str, Value]
"""The answer to one question: a value for each field of the track's answer type."""

LARGEST_ANSWERS = 64 * 2**20
"""Bytes of one cell's answers."""
LARGEST_FILE = 2**30
MOST_QUESTIONS = 4096
MOST_FIELDS = 64
MOST_DIMENSIONS = 8
LONGEST_TEXT = 65_536
LARGEST_INTEGER = 2**63
FIELD = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")
WHOLE = ""
"""The name of the only cell of a file."""
METADATA = "peabench"
DTYPES = frozenset(
    {torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8}
    | {torch.bool}
)

_Name = Annotated[str, Field(pattern=f"^{FIELD.pattern}$")]
_Plain = StrictBool | StrictInt | FiniteFloat | Annotated[str, Field(max_length=LONGEST_TEXT)] | None


class _Contents(BaseModel):
    """What a file's metadata says: for each cell and question the fields that are no tensors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_version: Literal[1] = 1
    cells: dict[str, Annotated[list[dict[_Name, _Plain]], Field(max_length=MOST_QUESTIONS)]]


def plain(answer: object) -> Answer:
    """An answer as a mapping from its field names to tensors, texts, numbers and None.

    What is neither a dataclass, a pydantic model nor a mapping becomes the single field `answer`.

    Raises:
        InvalidAnswer: a field holds something else, is not finite, or is too long.
    """
    if isinstance(answer, BaseModel):
        found = {name: getattr(answer, name) for name in type(answer).model_fields}
    elif is_dataclass(answer) and not isinstance(answer, type):
        found = {field.name: getattr(answer, field.name) for field in fields(answer)}
    else:
        found = dict(answer) if isinstance(answer, Mapping) else {"answer": answer}
    if len(found) > MOST_FIELDS:
        raise InvalidAnswer(f"Expected an answer of at most {MOST_FIELDS} fields, got {len(found)}; answer fewer.")
    return {_field_name(name): _value(name, value) for name, value in found.items()}


def encode(cells: Mapping[str, Sequence[Answer]]) -> bytes:
    """The content of a file of answers. The same answers give the same bytes.

    Args:
        cells: plain answers by cell; the name of a file's only cell is `WHOLE`.

    Raises:
        InvalidAnswer: a cell's answers are more or larger than a file may hold.
    """
    tensors: dict[str, Tensor] = {}
    others: dict[str, list[dict[str, Any]]] = {}
    for cell, answers in cells.items():
        found = {
            _tensor_name(cell, index, name): value
            for index, answer in enumerate(answers)
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
        others[cell] = [
            {name: value for name, value in answer.items() if not isinstance(value, Tensor)} for answer in answers
        ]
    contents = _Contents(cells=others).model_dump_json()
    copies = {name: tensors[name].clone(memory_format=torch.contiguous_format) for name in sorted(tensors)}
    return save(copies, {METADATA: contents})  # safetensors refuses tensors that share memory


class AnswerFile:
    """A file of answers, of which each cell is read when it is asked for.

    Raises:
        PeabenchError: it is missing, too large, or not what `encode` writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            size = path.stat().st_size
            if size > LARGEST_FILE:
                raise self._malformed(f"expected at most {LARGEST_FILE} bytes, got {size}")
            self._file: Any = safe_open(path, framework="pt")
            metadata = self._file.metadata() or {}
            names = self._file.keys()
        except FileNotFoundError:
            raise PeabenchError(f"The answers {path} are missing; restore the file or run the cell again.") from None
        except (OSError, SafetensorError) as error:
            raise self._malformed(f"expected a safetensors file, got {error}") from None
        if set(metadata) != {METADATA}:
            raise self._malformed(f"expected metadata {METADATA!r} and no other, got {sorted(metadata)}")
        try:
            self._cells = _Contents.model_validate_json(metadata[METADATA]).cells
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the metadata"
            raise self._malformed(f"{place}: {first['msg']}") from None
        self._tensors: dict[tuple[str, int], list[str]] = {}
        for name in names:
            self._tensors.setdefault(self._question_of(name), []).append(name)

    def cells(self) -> list[str]:
        """Names of its cells."""
        return sorted(self._cells)

    def answers(self, cell: str) -> list[Answer]:
        """The answers of a cell, one for each question."""
        if cell not in self._cells:
            raise self._malformed(f"expected answers of the cell {cell!r}, got none")
        return [
            {**others, **{_field_of(name): self._read(name) for name in self._tensors.get((cell, index), [])}}
            for index, others in enumerate(self._cells[cell])
        ]

    def _question_of(self, tensor: str) -> tuple[str, int]:
        head, _, field = tensor.rpartition(".")
        cell, _, number = head.rpartition("/")
        index = int(number) if re.fullmatch(r"0|[1-9][0-9]{0,3}", number) else MOST_QUESTIONS
        if not FIELD.fullmatch(field) or index >= len(self._cells.get(cell, [])) or field in self._cells[cell][index]:
            raise self._malformed(f"expected tensors of the questions that the metadata lists, got {tensor!r}")
        return cell, index

    def _read(self, name: str) -> Tensor:
        value: Tensor = self._file.get_tensor(name)
        if value.dtype not in DTYPES or value.dim() > MOST_DIMENSIONS:
            raise self._malformed(f"{name}: expected real numbers, got {value.dtype} {list(value.shape)}")
        # Any byte may stand in the file; a torch boolean other than 0 and 1 is undefined behaviour.
        if value.dtype == torch.bool and bool((value.view(torch.uint8) > 1).any()):
            raise self._malformed(f"{name}: expected booleans, got other bytes")
        if not bool(torch.isfinite(value).all()):
            raise self._malformed(f"{name}: expected finite numbers, got NaN or infinity")
        return value

    def _malformed(self, complaint: str) -> PeabenchError:
        return PeabenchError(
            f"The answers {self.path} are malformed: {complaint}; restore the file or run the cell again."
        )


def read_answers(folder: Path, key: CellKey) -> list[Answer] | None:
    """The answers of a cell, one mapping per question from the answer's field names to tensors, texts, numbers or None.

    For `circuits` that is `{"scores": [edge]}` in the order of `question.edges`; for `variables` `{"site": str,
    "basis": [d_model, k] or None}`.

    Args:
        folder: a run's, or one of collected results.
        key: of the cell.

    Returns:
        None where the folder has no answered result of exactly this key.

    Raises:
        PeabenchError: the result or its answers are damaged, missing or of different runs.
    """
    found = stored(folder, key)
    if found is None or found.result.status != "ok":
        return None
    answers = _opened(found.answers).answers(found.cell)
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
        return AnswerFile(path)  # which says what is wrong
    return _kept(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _kept(path: Path, _changed: int, _size: int) -> AnswerFile:
    return AnswerFile(path)


def _tensor_name(cell: str, index: int, field: str) -> str:
    return f"{cell}/{index}.{field}" if cell else f"{index}.{field}"


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _field_of(tensor: str) -> str:
    return tensor.rpartition(".")[2]


def _field_name(name: object) -> str:
    if not isinstance(name, str) or not FIELD.fullmatch(name):
        raise InvalidAnswer(f"Expected a field name of letters, digits and '_', got {name!r}; rename it.")
    return name


def _value(name: str, value: object) -> Value:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        try:
            value = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
        except TypeError:
            raise InvalidAnswer(f"Expected real numbers in {name!r}, got {array.dtype}; answer those.") from None
    if isinstance(value, Tensor):
        return _tensor(name, value)
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or not _is_unicode(value)):
        raise InvalidAnswer(f"Expected at most {LONGEST_TEXT} Unicode letters in {name!r}, got others; shorten it.")
    if isinstance(value, float) and not isfinite(value):
        raise InvalidAnswer(f"Expected a finite number in {name!r}, got {value}; answer finite numbers only.")
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        raise InvalidAnswer(f"Expected a 64-bit integer in {name!r}, got a larger one; answer a float.")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise InvalidAnswer(
        f"Expected a tensor, text, number or None in {name!r}, got a {type(value).__name__}; answer data only."
    )


def _tensor(name: str, value: Tensor) -> Tensor:
    if value.layout != torch.strided:
        raise InvalidAnswer(f"Expected a dense tensor in {name!r}, got {value.layout}; use .to_dense().")
    value = value.detach().cpu()
    value = value.float() if value.dtype is torch.bfloat16 else value  # NumPy, and with it the hash, has no bfloat16
    if value.dtype not in DTYPES or value.dim() > MOST_DIMENSIONS:
        raise InvalidAnswer(
            f"Expected real numbers of at most {MOST_DIMENSIONS} dimensions in {name!r}, got {value.dtype} "
            f"{list(value.shape)}; answer real numbers."
        )
    if not bool(torch.isfinite(value).all()):
        raise InvalidAnswer(f"Expected finite numbers in {name!r}, got NaN or infinity; answer finite numbers only.")
    return value.contiguous()
