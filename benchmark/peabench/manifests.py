"""The manifest of a published suite: the SHA-256 of every file of every task, cards and certificates included."""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from peabench.collected import sha256
from peabench.suites import Sha256, Suite, TaskId

LARGEST_MANIFEST_BYTES = 1 << 26

FileName = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*$")]
"""Relative to the task's folder. No part of it begins with a dot: it cannot lead out of the folder."""


class FileSum(BaseModel):
    """What a file must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    """In bytes."""

    @classmethod
    def of(cls, content: bytes) -> Self:
        """What a file of this content must be."""
        return cls(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


class SuiteManifest(BaseModel):
    """A suite and the files of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    suite: Suite
    files: dict[TaskId, dict[FileName, FileSum]]
    """By task, then by file name."""

    @model_validator(mode="after")
    def _of_the_suite(self) -> Self:
        if set(self.files) != set(self.suite.tasks):
            odd = min(set(self.files) ^ set(self.suite.tasks))
            raise ValueError(f"files: expected the tasks of the suite, got a difference at {odd!r}")
        return self

    def to_bytes(self) -> bytes:
        """The file's content; the same manifest always gives the same bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def manifest_of(suite: Suite, folders: Mapping[str, Path]) -> SuiteManifest:
    """The manifest of a suite whose tasks lie in these folders."""
    return SuiteManifest(suite=suite, files={task: sums(folders[task]) for task in sorted(folders)})


def sums(folder: Path) -> dict[str, FileSum]:
    """Sums of all files of a folder by relative name."""
    return {
        file.relative_to(folder).as_posix(): FileSum(sha256=sha256(file), size=file.stat().st_size)
        for file in sorted(folder.rglob("*"))
        if not file.is_dir() or file.is_symlink()
    }


def flaw(folder: Path, files: Mapping[str, FileSum]) -> str | None:
    """How a task folder differs from what the manifest says, or None where it does not.

    >>> flaw(Path("/nowhere"), {"task.json": FileSum(sha256="0" * 64, size=2)})
    'task.json is missing'
    """
    for name, expected in files.items():
        file = folder / name
        try:
            status = file.lstat()
        except OSError:
            return f"{name} is missing"
        if not stat.S_ISREG(status.st_mode):
            return f"{name} is no plain file"
        if status.st_size != expected.size:
            return f"{name} has {status.st_size} bytes, not {expected.size}"
        found = sha256(file)
        if found != expected.sha256:
            return f"{name} has the SHA-256 {found[:12]}, not {expected.sha256[:12]}"
    for file in sorted(folder.rglob("*")):
        if file.relative_to(folder).as_posix() not in files and (file.is_symlink() or not file.is_dir()):
            return f"{file.relative_to(folder).as_posix()} is not in the manifest"
    return None
