"""Tensors of a mechanism, referred to by name and kept beside it in one safetensors file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors
import torch
from jaxtyping import Shaped
from pydantic import Field
from safetensors.torch import save
from torch import Tensor

from peabench.mechanism.errors import MechanismError, in_file, quote
from peabench.mechanism.files import read_file
from peabench.mechanism.records import Label, Record

TENSORS_FILE = "mechanism.safetensors"
LARGEST_FILE = 64 * 2**20
"""Bytes of the largest tensors file that is read, unless the caller sets another limit."""

DataType = Literal["float32", "int64", "bool"]
Tensors = dict[str, Shaped[Tensor, "..."]]

_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize
_STORED: dict[str, DataType] = {"F32": "float32", "I64": "int64", "BOOL": "bool"}
_DTYPES: dict[DataType, torch.dtype] = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}


class TensorReference(Record):
    """A tensor by its name in `mechanism.safetensors`, with the shape and type it must have there."""

    name: Label
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=8)]
    dtype: DataType = "float32"


Places = Sequence[tuple[str, TensorReference]]
"""References, each with the path of the field that holds it."""


def read_tensors(folder: Path, places: Places, limit: int = LARGEST_FILE) -> Tensors:
    """The tensors of `mechanism.safetensors` in `folder`, checked against the references to them.

    Raises:
        MechanismError: a file that is missing, damaged, larger than `limit` bytes or outside the folder, and
            whatever `check_tensors` finds.
    """
    path = folder / TENSORS_FILE
    if not places and not path.exists():
        return {}
    data = read_file(folder, TENSORS_FILE, limit)
    try:
        stored = _deserialize(data)
    except safetensors.SafetensorError as error:
        raise in_file(
            path,
            "(header)",
            f"expected a complete safetensors file, got {len(data)} bytes that are not one "
            f"({error}); fetch the file again",
        ) from None
    tensors: Tensors = {}
    for name, entry in stored:
        if entry["dtype"] not in _STORED:
            raise in_file(
                path, quote(name), f"expected float32, int64 or bool, got {entry['dtype']}; convert the tensor"
            )
        tensors[name] = _tensor(entry)
    try:
        check_tensors(tensors, places)
    except MechanismError as error:
        raise in_file(path, error.field, error.message) from None
    return tensors


def _tensor(entry: Mapping[str, Any]) -> Shaped[Tensor, "..."]:
    shape, data = entry["shape"], bytearray(entry["data"])
    if prod(shape) == 0:
        return torch.zeros(shape, dtype=_DTYPES[_STORED[entry["dtype"]]])
    if entry["dtype"] == "BOOL":
        # Any byte may stand in the file; a torch boolean other than 0 and 1 is undefined behaviour.
        return torch.frombuffer(data, dtype=torch.uint8).ne(0).reshape(shape)
    return torch.frombuffer(data, dtype=_DTYPES[_STORED[entry["dtype"]]]).reshape(shape)


def write_tensors(tensors: Mapping[str, Shaped[Tensor, "..."]]) -> bytes:
    """The content of a tensors file. The same tensors give the same bytes."""
    return save({name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)})


def check_tensors(tensors: Mapping[str, Shaped[Tensor, "..."]], places: Places) -> None:
    """That there is exactly one tensor for every reference, of its shape and type, and all of it finite.

    Raises:
        MechanismError: its `field` is the place of the reference, or the name of a tensor without one.
    """
    for place, reference in places:
        tensor = tensors.get(reference.name)
        if tensor is None:
            raise MechanismError(f"expected a tensor {reference.name!r}, got none; add it", place)
        if tuple(tensor.shape) != reference.shape:
            raise MechanismError(
                f"expected {reference.name!r} of shape {list(reference.shape)}, got {list(tensor.shape)}; "
                "correct the tensor or the reference",
                place,
            )
        if tensor.dtype != _DTYPES[reference.dtype]:
            raise MechanismError(
                f"expected {reference.name!r} as {reference.dtype}, got {tensor.dtype}; convert the tensor", place
            )
        if not bool(torch.isfinite(tensor).all()):
            raise MechanismError(f"expected {reference.name!r} to be finite, got NaN or infinity; correct it", place)
    unused = sorted(set(tensors) - {reference.name for _, reference in places})
    if unused:
        raise MechanismError(
            f"expected only tensors that the mechanism refers to, got {quote(unused[0])}; remove it", quote(unused[0])
        )
