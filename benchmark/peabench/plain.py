"""What an answer may hold: tensors of finite real numbers, texts, numbers and None, by the names of its fields."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from peabench.errors import InvalidAnswer

Value = Tensor | str | int | float | bool | None
Answer = dict[str, Value]
"""The answer to one question: a value for each field of the track's answer type."""

MOST_FIELDS = 64
MOST_DIMENSIONS = 8
LONGEST_TEXT = 65_536
LARGEST_INTEGER = 2**63
FIELD = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""What tensors may hold, by its name in a file."""


def plain(answer: object) -> Answer:
    """An answer as a mapping from its field names to tensors, texts, numbers and None.

    What is neither a dataclass, a pydantic model nor a mapping becomes the single field `answer`.

    Raises:
        InvalidAnswer: a field holds something else, is not finite, or is too long.
    """
    found = _fields(answer)
    if len(found) > MOST_FIELDS:
        raise InvalidAnswer(f"Expected an answer of at most {MOST_FIELDS} fields, got {len(found)}; answer fewer.")
    return {_field_name(name): _value(name, value) for name, value in found.items()}


def refuse_odd_tensors(answer: object) -> None:
    """Refuse an answer with a tensor that has no real numbers to look at, before anything is computed with it.

    Raises:
        InvalidAnswer: a field holds a tensor that is sparse, nested, of the meta device, complex, quantised or of eight
            bits.
    """
    for name, value in _fields(answer).items():
        if isinstance(value, Tensor):
            _refuse_odd(str(name), value)


def _refuse_odd(name: str, value: Tensor) -> None:
    if value.is_nested or value.layout != torch.strided:
        kind = "a nested one" if value.is_nested else value.layout
        raise InvalidAnswer(f"Expected a dense tensor in {name!r}, got {kind}; use .to_dense().")
    if value.is_meta:
        raise InvalidAnswer(f"Expected numbers in {name!r}, got a tensor of the meta device; use one that holds some.")
    if value.dtype not in (*DTYPES.values(), torch.bfloat16):
        raise InvalidAnswer(f"Expected real numbers in {name!r}, got {value.dtype}; answer those, in torch.float32.")


def _fields(answer: object) -> dict[Any, Any]:
    if isinstance(answer, BaseModel):
        return {name: getattr(answer, name) for name in type(answer).model_fields}
    if is_dataclass(answer) and not isinstance(answer, type):
        return {field.name: getattr(answer, field.name) for field in fields(answer)}
    return dict(answer) if isinstance(answer, Mapping) else {"answer": answer}


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
    _refuse_odd(name, value)
    value = value.detach().cpu()
    value = value.float() if value.dtype is torch.bfloat16 else value  # NumPy, and with it the hash, has no bfloat16
    if value.dim() > MOST_DIMENSIONS:
        raise InvalidAnswer(
            f"Expected at most {MOST_DIMENSIONS} dimensions in {name!r}, got {value.dim()}; answer fewer."
        )
    if not bool(torch.isfinite(value).all()):
        raise InvalidAnswer(f"Expected finite numbers in {name!r}, got NaN or infinity; answer finite numbers only.")
    return value.contiguous()
