"""A submission's file: the same content gives the same bytes, and nothing but that is read."""

import io
import json
import os
import re
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from tests.leaderboard.submissions.conftest import TASK, Small

from peabench.answers import METADATA, encode
from peabench.errors import PeabenchError
from peabench.results import answer_hash
from peabench_leaderboard.submissions.archive import DOCUMENT, answers_member, archive_of, read_archive
from peabench_leaderboard.submissions.container import DIRECTORY, END, write_container
from peabench_leaderboard.submissions.submission import Submission

ANSWERS = answers_member("circuits")


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refusal(small: Small, folder: Path, content: bytes) -> str:
    """The sentence that a file is refused with."""
    path = small.write(folder, content)
    with pytest.raises(PeabenchError) as caught:
        read_archive(path)
    told = str(caught.value)
    assert "\n" not in told
    assert str(path) in told
    assert list(folder.iterdir()) == [path]
    return told


def test_a_submission_comes_back_as_it_was_written(small: Small, small_variables: Small, tmp_path: Path) -> None:
    for one in (small, small_variables):
        found = read_archive(one.write(tmp_path))
        assert found.submission == one.submission
        (cell,) = found.submission.cells
        assert answer_hash(found.answers(cell)) == answer_hash(one.answers[TASK]) == cell.answer_hash
    assert set(small_variables.answers[TASK]) >= {"0", "0.twin"}


def test_the_same_submission_gives_the_same_bytes_and_id(small: Small) -> None:
    again = Submission.model_validate_json(small.submission.content())
    assert archive_of(again, small.answers) == small.content
    assert again.id == small.submission.id
    assert again.model_copy(update={"name": "other"}).id != again.id


def test_it_is_a_zip_file_of_json_and_safetensors_alone(small: Small) -> None:
    members = members_of(small.content)
    assert set(members) == {DOCUMENT, ANSWERS}
    assert json.loads(members[DOCUMENT])["name"] == "small"
    assert b"\x80\x04" not in members[DOCUMENT]
    assert all(word not in small.content for word in (b"pickle", b"import ", b"def "))


def test_a_deflated_submission_is_read_too(small: Small, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members_of(small.content).items():
            archive.writestr(name, member)
    assert len(content.getvalue()) < len(small.content)
    assert read_archive(small.write(tmp_path, content.getvalue())).submission == small.submission


def zipped(write: Callable[[zipfile.ZipFile, dict[str, bytes]], None]) -> Callable[[bytes], bytes]:
    """Makes an archive anew with Python's own writer."""

    def change(content: bytes) -> bytes:
        out = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
            warnings.simplefilter("ignore")
            write(archive, members_of(content))
        return out.getvalue()

    return change


def with_more(name: str, **attributes: int) -> Callable[[bytes], bytes]:
    def write(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        for own, content in members.items():
            archive.writestr(own, content)
        entry = zipfile.ZipInfo(name)
        for attribute, value in attributes.items():
            setattr(entry, attribute, value)
        archive.writestr(entry, "/etc/passwd")

    return zipped(write)


def bomb(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
    archive.writestr(DOCUMENT, members[DOCUMENT])
    archive.writestr(ANSWERS, b"\0" * 150_000_000, zipfile.ZIP_DEFLATED)


def commented(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
    for name, content in members.items():
        archive.writestr(name, content)
    archive.comment = b"hello"


def streamed(content: bytes) -> bytes:
    """As written to a pipe: sizes stand after the members."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.content += bytes(data)
            return len(data)

    out = Pipe()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in members_of(content).items():
            archive.writestr(name, member)
    return bytes(out.content)


def in_directory(field: int, value: int, entry: int = 0) -> Callable[[bytes], bytes]:
    """One field of an entry of the directory, changed."""

    def change(content: bytes) -> bytes:
        start = END.unpack(content[-END.size :])[6]
        for _ in range(entry):
            start += DIRECTORY.size + DIRECTORY.unpack(content[start : start + DIRECTORY.size])[10]
        fields = list(DIRECTORY.unpack(content[start : start + DIRECTORY.size]))
        fields[field] = value
        return content[:start] + DIRECTORY.pack(*fields) + content[start + DIRECTORY.size :]

    return change


def in_end(field: int, value: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        fields = list(END.unpack(content[-END.size :]))
        fields[field] = value
        return content[: -END.size] + END.pack(*fields)

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: b"", "ends with its directory"),
        (lambda content: content[:-1], "ends with its directory"),
        (lambda content: content + b"\0", "ends with its directory"),
        (lambda content: b"MZ" + content, "plain zip file"),
        (lambda content: content[:10] + bytes([content[10] ^ 1]) + content[11:], "say what the directory says"),
        (lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:], "other bytes|say what"),
        (with_more("run.py"), "no members but"),
        (with_more("../outside"), "plain relative names"),
        (with_more("/etc/passwd"), "plain relative names"),
        (with_more("C:\\outside"), "plain relative names"),
        (with_more("answers/../../x"), "plain relative names"),
        (with_more(DOCUMENT), "each member once"),
        (with_more("Submission.json"), "plain relative names"),
        (with_more("answers/circuits.safetensors\u200b"), "plain relative names"),
        (
            with_more("answers/variables.safetensors", external_attr=(stat.S_IFLNK | 0o777) << 16, create_system=3),
            "link",
        ),
        (with_more("answers/variables.safetensors", external_attr=0x10), "folder"),
        (with_more("answers/variables.safetensors"), "expected the members"),
        (with_more("answers/inner.zip"), "no members but"),
        (zipped(bomb), "compressed at most 100 times"),
        (zipped(commented), "ends with its directory"),
        (streamed, "descriptors"),
        (in_directory(3, 1), "without encryption"),
        (in_directory(3, 8), "descriptors"),
        (in_directory(4, 12), "stored or deflated"),
        (in_directory(2, 45), "stored or deflated"),
        (in_directory(7, 0), "say what the directory says"),
        (in_directory(8, 2**32 - 1), "say what the directory says"),
        (in_directory(9, 2**32 - 1), "at most"),
        (in_directory(16, 0, entry=1), "expected the header of"),
        (in_directory(16, 1), "expected the header of"),
        (in_end(4, 1), "plain zip file|each member|something between"),
        (in_end(4, 65_535), "plain zip file"),
        (in_end(1, 1), "plain zip file"),
        (in_end(6, 0), "plain zip file"),
        (in_end(5, 2**32 - 1), "plain zip file"),
    ],
)
def test_what_is_no_plain_zip_file_is_refused_in_one_sentence(
    small: Small, tmp_path: Path, change: Callable[[bytes], bytes], complaint: str
) -> None:
    told = refusal(small, tmp_path, change(small.content))
    assert re.search(complaint, told), told


def test_members_that_share_their_bytes_are_refused(small: Small, tmp_path: Path) -> None:
    """Overlapping members make the small bombs that no ratio shows."""
    members = members_of(small.content)
    whole = write_container({"answers/circuits.safetensors": members[ANSWERS], "answers/variables.safetensors": b""})
    shifted = in_directory(16, 0, entry=1)(whole)
    assert "expected" in refusal(small, tmp_path, shifted)


def resealed(small: Small, document: Any = None, answers: bytes | None = None) -> bytes:
    """The container with other content, all of its own sums right."""
    members = members_of(small.content)
    if document is not None:
        members[DOCUMENT] = (
            json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        )
    if answers is not None:
        members[ANSWERS] = answers
    return write_container(members)


def changed(small: Small, *path: Any, value: Any) -> Any:
    document = json.loads(small.submission.content())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("schema_version",), 2, "schema_version"),
        (("extra",), 1, "extra"),
        (("name",), "../small", "name"),
        (("name",), "\u202esmall", "name"),
        (("authors",), [], "authors"),
        (("authors",), ["a\x1b[31m"], "authors"),
        (("url",), "javascript:alert(1)", "url"),
        (("url",), "https://example.org/<script>", "url"),
        (("cells",), [], "cells"),
        (("cells", 0, "task"), "../../etc", "task"),
        (("cells", 0, "questions", "0"), "0" * 64, "is not the one that its hash names"),
        (("cells", 0, "questions", "01"), "0" * 64, "questions"),
        (("cells", 0, "content_hash"), "0" * 64, "is not the one that its hash names"),
        (("cells", 0, "status"), "ok", "status"),
        (("cells", 0, "status"), "declined", "expected a reason and nothing else"),
        (("cells", 0, "answer_hash"), "0" * 64, "expected the answers to boolean/tree-xs-0 that"),
        (("cells", 0, "answer_hash"), None, "expected questions, answer_hash and cost"),
        (("cells", 0, "cost", "forward_passes"), -1.0, "cost"),
        (("cells", 0, "cost", "wall_seconds"), 1e300, "cost"),
        (("cells", 0, "cost", "peak_memory_bytes"), 10**400, "cost"),
        (("cells", 0, "environment"), 7, "expected environments 0 to 0"),
        (("cells", 0, "reason"), "a\nb", "reason"),
        (("track_version",), True, "track_version|canonical|hash names"),
        (("device",), "tpu", "device"),
        (("environments", 0), {str(i): "" for i in range(65)}, "environments"),
        (("method", "parameters"), "x" * 70_000, "parameters"),
    ],
)
def test_a_document_that_does_not_fit_is_refused_by_the_name_of_its_field(
    small: Small, tmp_path: Path, path: tuple[Any, ...], value: Any, complaint: str
) -> None:
    told = refusal(small, tmp_path, resealed(small, changed(small, *path, value=value)))
    assert re.search(complaint, told), told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"name":' * 5_000,
        b"1e999",
        b"\xff\xfe",
        b'{"cells": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_document_that_is_no_json_is_refused(small: Small, tmp_path: Path, content: bytes) -> None:
    members = members_of(small.content) | {DOCUMENT: content}
    assert DOCUMENT in refusal(small, tmp_path, write_container(members))


def test_only_the_canonical_form_of_a_document_is_accepted(small: Small, tmp_path: Path) -> None:
    members = members_of(small.content)
    spaced = json.dumps(json.loads(members[DOCUMENT]), indent=1).encode()
    twice = members[DOCUMENT].replace(b'{"authors"', b'{"name":"mine","authors"', 1)
    for content in (spaced, twice):
        assert "canonical" in refusal(small, tmp_path, write_container(members | {DOCUMENT: content}))


def header_of(header: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


NAME = f"{TASK}/0.scores"
SAID = {"__metadata__": {METADATA: json.dumps({"schema_version": 2, "cells": {TASK: {"0": {}}}})}}


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (b"", "safetensors"),
        (b"\xff" * 8, "header"),
        (b"\xff" * 64, "header"),
        (struct.pack("<Q", 2**62) + b"{}", "header"),
        (header_of(SAID | {NAME: {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}), "safetensors"),
        (header_of(SAID | {NAME: {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}), "safetensors"),
        (
            header_of(SAID | {NAME: {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}),
            "real numbers|safe",
        ),
        (header_of(SAID | {NAME: {"dtype": "F32", "shape": [0] * 50, "data_offsets": [0, 0]}}), "real numbers"),
        (header_of(SAID | {NAME: {"dtype": "F8_E5M2", "shape": [1], "data_offsets": [0, 1]}}, b"0"), "real numbers"),
        (header_of(SAID | {NAME: {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 1]}}, b"0"), "safetensors"),
        (header_of(SAID | {NAME: {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"0" * 8), "safetensors"),
        (header_of(SAID | {NAME: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"0" * 9), "safetensors"),
        (header_of({"__metadata__": {"other": "x"}}), "metadata"),
        (header_of({}), "metadata"),
        (save({"x": torch.zeros(2)}), "metadata"),
        (encode({}), "answered cells alone"),
        (encode({TASK: {"0": {}}, "boolean/tree-xs-1": {}}), "answered cells alone"),
        (encode({TASK: {"1": {"scores": torch.zeros(3)}}}), "expected the answers to"),
        (encode({TASK: {"0": {"scores": torch.zeros(3)}}}), "expected the answers to"),
    ],
)
def test_answers_that_lie_about_themselves_are_refused(
    small: Small, tmp_path: Path, answers: bytes, complaint: str
) -> None:
    told = refusal(small, tmp_path, resealed(small, answers=answers))
    assert re.search(complaint, told), told


def test_numbers_that_are_not_finite_are_refused(small: Small, tmp_path: Path) -> None:
    answers = bytearray(members_of(small.content)[ANSWERS])
    answers[-4:] = struct.pack("<f", float("nan"))
    assert "expected finite numbers" in refusal(small, tmp_path, resealed(small, answers=bytes(answers)))


def test_what_is_no_file_is_refused(small: Small, tmp_path: Path) -> None:
    (tmp_path / "folder.peabench.zip").mkdir()
    os.mkfifo(tmp_path / "pipe.peabench.zip")
    for name in ("absent", "folder", "pipe"):
        with pytest.raises(PeabenchError, match="expected a file"):
            read_archive(tmp_path / f"{name}.peabench.zip")
