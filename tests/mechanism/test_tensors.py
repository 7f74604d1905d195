"""Tensor files: each kind of damage is one line that names the file and the field."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from tests.mechanism import laboratory

from peabench.mechanism import Mechanism, MechanismError, TensorReference
from peabench.mechanism.files import read_file
from peabench.mechanism.tensors import read_tensors, write_tensors

torch.set_num_threads(1)
FILE = "mechanism.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = tmp_path / "task"
    laboratory.mechanism().save(task)
    return task


def refused(folder: Path, field: str, message: str, **options: Any) -> None:
    with laboratory.untouched(folder), pytest.raises(MechanismError) as caught:
        Mechanism.load(folder, **options)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{folder / FILE}: field {field}: expected "), line
    assert ", got " in line
    assert "; " in line
    assert message in line


def raw(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        raw({}, length=2**62),
        raw({}, length=1000),
        raw(b"not json"),
        raw(b"{" * 50),
        raw(b'{"a":' * 30_000),
        raw({"a": ENTRY}, bytes(7)),
        raw({"a": ENTRY}, bytes(9)),
        raw({"a": ENTRY | {"data_offsets": [8, 16]}}, bytes(16)),
        raw({"a": ENTRY | {"data_offsets": [0, 2**63]}}, bytes(8)),
        raw({"a": ENTRY | {"shape": [2**40, 2**40]}}, bytes(8)),
        raw({"a": ENTRY | {"shape": [-2]}}, bytes(8)),
        raw({"a": ENTRY | {"dtype": "OBJECT"}}, bytes(8)),
        raw({"a": ENTRY, "b": ENTRY}, bytes(8)),
        pickle.dumps({"a": 1}),
    ],
)
def test_a_damaged_file_is_one_line(folder: Path, content: bytes) -> None:
    (folder / FILE).write_bytes(content)
    refused(folder, "(header)", "expected a complete safetensors file")


@pytest.mark.parametrize("kept", [0, 4, 8, 20, 100, -1])
def test_a_truncated_file_is_one_line(folder: Path, kept: int) -> None:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:kept])
    refused(folder, "(header)", "fetch the file again")


def test_a_file_larger_than_the_limit_is_not_read(folder: Path) -> None:
    size = (folder / FILE).stat().st_size
    refused(folder, "(file)", f"expected at most {size - 1} bytes, got {size}", largest_tensors=size - 1)
    Mechanism.load(folder, largest_tensors=size)
    with (folder / FILE).open("r+b") as file:
        file.truncate(64 * 2**20 + 1)
    refused(folder, "(file)", "expected at most 67108864 bytes, got 67108865")


def test_a_missing_file_is_one_line(folder: Path) -> None:
    (folder / FILE).unlink()
    refused(folder, "(file)", "No such file")


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / FILE).rename(tmp_path / "elsewhere")
    (folder / FILE).symlink_to("../elsewhere")
    refused(folder, "(file)", "expected a file inside its folder")


GOOD = laboratory.tensors()


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"g.basis": None}, "alignments.0.location.basis", "expected a tensor 'g.basis', got none"),
        ({"spare": torch.zeros(3)}, "'spare'", "expected only tensors that the mechanism refers to"),
        ({"g.basis": torch.eye(8)[:, :2]}, "alignments.0.location.basis", "of shape [8, 1], got [8, 2]"),
        ({"g.basis": GOOD["g.basis"].T}, "alignments.0.location.basis", "of shape [8, 1], got [1, 8]"),
        ({"g.basis": torch.zeros(8, 0)}, "alignments.0.location.basis", "of shape [8, 1], got [8, 0]"),
        ({"g.basis": GOOD["g.basis"].double()}, "'g.basis'", "expected float32, int64 or bool, got F64"),
        ({"g.basis": GOOD["g.basis"].half()}, "'g.basis'", "expected float32, int64 or bool, got F16"),
        ({"g.basis": GOOD["g.basis"].long()}, "alignments.0.location.basis", "as float32, got torch.int64"),
        ({"feature.g": GOOD["feature.g"] > 0}, "features.0.direction", "as float32, got torch.bool"),
        ({"g.other": GOOD["g.other"] / 0.0}, "alignments.0.alternatives.0.basis", "got NaN or infinity"),
        ({"feature.g": GOOD["feature.g"] * torch.nan}, "features.0.direction", "got NaN or infinity"),
        ({"g.basis": GOOD["g.basis"] * 1.01}, "alignments.0.location.basis", "expected orthonormal columns"),
        ({"g.other": GOOD["g.other"] + 1e-3}, "alignments.0.alternatives.0.basis", "expected orthonormal columns"),
        ({"feature.g": torch.zeros(8)}, "features.0.direction", "a direction other than zero"),
    ],
)
def test_wrong_tensors_are_one_line(
    folder: Path, change: dict[str, torch.Tensor | None], field: str, message: str
) -> None:
    changed = {name: tensor.contiguous() for name, tensor in (GOOD | change).items() if tensor is not None}
    (folder / FILE).write_bytes(save(changed))
    refused(folder, field, message)


def test_integers_and_booleans_come_back_too(tmp_path: Path) -> None:
    stored = {"whole": torch.arange(6).reshape(2, 3), "truth": torch.tensor([True, False])}
    (tmp_path / FILE).write_bytes(write_tensors(stored))
    places = [
        ("x", TensorReference(name="whole", shape=(2, 3), dtype="int64")),
        ("y", TensorReference(name="truth", shape=(2,), dtype="bool")),
    ]
    loaded = read_tensors(tmp_path, places)
    assert all(torch.equal(loaded[name], stored[name]) for name in stored)


def test_bytes_other_than_zero_and_one_are_read_as_true(tmp_path: Path) -> None:
    header = {"truth": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}
    (tmp_path / FILE).write_bytes(raw(header, b"\x00\x01\xff"))
    loaded = read_tensors(tmp_path, [("x", TensorReference(name="truth", shape=(3,), dtype="bool"))])
    assert loaded["truth"].view(torch.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "/etc/passwd", "a/b", "a\\b", "C:x", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(MechanismError, match="field \\(file\\): expected a plain file name"):
        read_file(inside, name, 100)
