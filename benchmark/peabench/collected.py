"""Collected results: one file per scorer and suite, a file of its answers, and a manifest of their SHA-256 sums."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, FiniteFloat, StringConstraints, model_validator

from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.results import CellKey, CellResult, Cost, Status, Verification, mean_metrics, read
from peabench.scorers import Role
from peabench.suites import Sha256

MANIFEST = "manifest.json"


class CollectedCell(BaseModel):
    """One cell of a scorer; the metrics of its result are the means of its questions'."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    provenance: str = ""
    seed: int
    device: str
    content_hash: str
    others_hash: str = ""
    status: Status
    reason: str = ""
    questions: list[dict[str, FiniteFloat]] = []
    cost: Cost | None = None
    answer_hash: str = ""
    environment: int
    """Index into the file's environments."""

    @property
    def name(self) -> str:
        """Of the cell in the file of answers."""
        return f"{self.task}.seed-{self.seed}.{self.device}"


class Submitter(BaseModel):
    """Where submitted results come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: Sha256
    """Its id."""
    authors: tuple[str, ...]
    url: str


class Collected(BaseModel):
    """All results of a scorer on a suite."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    track: str
    track_version: int
    scorer: str
    scorer_version: str
    source_hash: str = ""
    role: Role
    suite: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]* [0-9]{1,9}$")]
    """Name and version."""
    verification: Verification = "self-reported"
    """Of all its cells."""
    submitter: Submitter | None = None
    """None where the results are of code that was run here."""
    environments: list[dict[str, str]]
    """The versions, machines and commits that cells were run with."""
    cells: list[CollectedCell]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [cell.name for cell in self.cells]
        if len(set(names)) < len(names):
            raise ValueError("cells: expected each task, seed and device once")
        if any(not 0 <= cell.environment < len(self.environments) for cell in self.cells):
            raise ValueError(f"cells: expected environments 0 to {len(self.environments) - 1}")
        self.results()
        return self

    @property
    def suite_name(self) -> str:
        """Of its suite."""
        return self.suite.rpartition(" ")[0]

    @property
    def suite_version(self) -> int:
        """Of its suite."""
        return int(self.suite.rpartition(" ")[2])

    @property
    def file(self) -> Path:
        """Where it stands in its folder."""
        return Path(self.track) / f"{self.scorer}.{self.suite.replace(' ', '-')}.json"

    @property
    def answers_file(self) -> Path:
        """Where its answers stand in its folder."""
        return self.file.with_name(f"{self.file.stem}.safetensors")

    def results(self) -> list[CellResult]:
        """The results of its cells, as `peabench run` stored them, without tracebacks."""
        return [
            CellResult(
                key=CellKey(
                    track=self.track,
                    track_version=self.track_version,
                    scorer=self.scorer,
                    scorer_version=self.scorer_version,
                    source_hash=self.source_hash,
                    task=cell.task,
                    content_hash=cell.content_hash,
                    others_hash=cell.others_hash,
                    seed=cell.seed,
                    device=cell.device,
                ),
                role=self.role,
                suite=self.suite,
                provenance=cell.provenance,
                status=cell.status,
                reason=cell.reason,
                metrics=mean_metrics(cell.questions),
                questions=cell.questions,
                cost=cell.cost,
                answer_hash=cell.answer_hash,
                environment=self.environments[cell.environment],
                verification=self.verification,
            )
            for cell in self.cells
        ]

    def text(self) -> str:
        """Its JSON, a cell on each line."""
        fields = self.model_dump(mode="json")
        cells = [cell.model_dump(mode="json", exclude_defaults=True) for cell in self.cells]
        lines = [json.dumps(cell, separators=(",", ":"), ensure_ascii=False, allow_nan=False) for cell in cells]
        head = json.dumps(fields | {"cells": []}, indent=1, ensure_ascii=False)
        return head.replace('"cells": []', '"cells": [\n' + ",\n".join(lines) + "\n ]") + "\n"


class Manifest(BaseModel):
    """What a folder of collected results holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    files: dict[str, Sha256]
    """SHA-256 of every file by its path in the folder."""


@dataclass(frozen=True)
class Stored:
    """A result in its folder, and where its answers are."""

    result: CellResult
    answers: Path
    cell: str
    """Name of the cell in the file of answers."""


def stored(folder: Path, key: CellKey) -> Stored | None:
    """The result of exactly this key in a run's folder or in one of collected results; None if there is none.

    Raises:
        PeabenchError: the file that should hold it is damaged.
    """
    if (folder / key.file).exists():
        result = read(folder / key.file)
        return Stored(result, folder / key.answers_file, "") if result.key == key else None
    for file in sorted((folder / key.track).glob(f"{key.scorer}.*.json")):
        status = file.stat()
        found = _kept(file, status.st_mtime_ns, status.st_size).get(key)
        if found is not None:
            answers, cell, result = found
            return Stored(result, folder / answers, cell)
    return None


def read_collected(file: Path) -> Collected:
    """One file of collected results.

    Raises:
        PeabenchError: it cannot be read, a field of it is wrong, or it stands in the place of another.
    """
    document = read_document(file, Collected, "result")
    if file.parts[-2:] != document.file.parts:
        raise PeabenchError(f"The result {file} says that it belongs at {document.file}; move it there or delete it.")
    return document


def documents(folder: Path) -> list[Path]:
    """The files of collected results in a folder."""
    return [file for file in sorted(folder.glob("*/*.json")) if not file.name.startswith(".")]


def read_folder(folder: Path) -> tuple[list[CellResult], list[str]]:
    """The results of every file of collected results, and one sentence for each that is left out.

    Left out are those that are damaged, those that are not as they were listed, or whose answers are not, and those on
    another version of a suite than the newest that the folder has results of: old and new tasks are not averaged.
    """
    found = documents(folder)
    if not found:
        return [], []
    kept, problems = [], []
    try:
        sums = read_manifest(folder).files
    except PeabenchError as error:
        return [], [str(error)]
    for file in found:
        try:
            kept.append((file, _as_listed(file, folder, sums)))
        except PeabenchError as error:
            problems.append(str(error))
    newest: dict[tuple[str, str], int] = {}
    for _, document in kept:
        place = document.track, document.suite_name
        newest[place] = max(newest.get(place, document.suite_version), document.suite_version)
    results = []
    for file, document in kept:
        version = newest[document.track, document.suite_name]
        if document.suite_version == version:
            results += document.results()
        else:
            problems.append(
                f"The result {file} is of {document.suite}, and others there of version {version}; run its scorer on "
                "that and collect it."
            )
    return results, problems


def _as_listed(file: Path, folder: Path, sums: dict[str, str]) -> Collected:
    if sha256(file) != sums.get(file.relative_to(folder).as_posix()):
        raise PeabenchError(f"The result {file} is not the one that {MANIFEST} lists; restore both of them.")
    document = read_collected(file)
    answers = folder / document.answers_file
    if not answers.is_file() or sha256(answers) != sums.get(document.answers_file.as_posix()):
        raise PeabenchError(
            f"The answers {answers} of {file.name} are not those that {MANIFEST} lists; restore all of them."
        )
    return document


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder of collected results.

    Raises:
        PeabenchError: there is none, or it is malformed.
    """
    return read_document(folder / MANIFEST, Manifest, "manifest")


def altered(folder: Path) -> list[str]:
    """One sentence for each file of a folder that is missing, not listed in the manifest, or not as it was listed.

    Raises:
        PeabenchError: the manifest cannot be read.
    """
    sums = read_manifest(folder).files
    present = {file.relative_to(folder).as_posix() for file in _all_files(folder)}
    problems = [f"{name} is missing from {folder}; restore it." for name in sorted(set(sums) - present)]
    problems += [f"{name} is not listed in {folder / MANIFEST}; delete it." for name in sorted(present - set(sums))]
    for name in sorted(present & set(sums)):
        if sha256(folder / name) != sums[name]:
            problems.append(f"{folder / name} was changed after it was collected; restore it or collect it anew.")
    return problems


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _all_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file != folder / MANIFEST:
            yield file


@lru_cache(maxsize=64)
def _kept(file: Path, _changed: int, _size: int) -> dict[CellKey, tuple[Path, str, CellResult]]:
    """The results of a file, each with its answers' file and name there."""
    document = read_collected(file)
    named = zip(document.cells, document.results(), strict=True)
    return {result.key: (document.answers_file, cell.name, result) for cell, result in named}
