"""The tasks that are here, bundled or downloaded, listed from their `task.json` files alone, without torch."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from peabench.documents import read_json
from peabench.errors import PeabenchError
from peabench.registry import families, suggestion
from peabench.snapshots import current_snapshots

RECORD = "task.json"
TASK_ID = re.compile(r"[a-z0-9_]+/[a-z0-9_-]+")
TRUTH = "mechanism.json"
QUESTIONS = "questions"
"""Folder of a sealed task's questions (`peabench.question_files`)."""
COMPANIONS = "companions"
"""Folder of the networks beside a task's own, each of them a task folder."""
OUTSIDE_THE_HASH = frozenset({"README.md", "certificate.json"})


@dataclass(frozen=True)
class TaskSummary:
    """What a listing shows of a task."""

    id: str
    family: str
    variant: str
    size: str
    seed: int
    provenance: str
    tracks: tuple[str, ...]
    domain_size: int
    difficulty: str
    """Why the task is hard; empty for a clean one."""
    description: str
    folder: Path

    def listing(self) -> dict[str, Any]:
        """The fields that `peabench tasks --json` prints."""
        names = ("id", "family", "variant", "size", "seed", "provenance", "domain_size", "difficulty")
        return {name: getattr(self, name) for name in names} | {"tracks": list(self.tracks)}


def summarise(folder: Path) -> TaskSummary:
    """Read what a listing needs from a task folder.

    Raises:
        PeabenchError: `task.json` is missing, is not JSON, or lacks a field or has one of another type.
    """
    file = folder / RECORD
    record = read_json(file, "task")
    if not isinstance(record, dict):
        raise PeabenchError(f"The task {file} is malformed: it must be an object, but is a {type(record).__name__}.")

    def field(name: str, kind: type) -> Any:
        if name not in record:
            raise PeabenchError(f"{file} lacks the field {name!r}.")
        value = record[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise PeabenchError(f"{file}: field {name!r} must be of type {kind.__name__}, but is {value!r}.")
        return value

    tracks = field("tracks", list)
    if not all(isinstance(track, str) for track in tracks):
        raise PeabenchError(f"{file}: field 'tracks' must be a list of names, but is {tracks!r}.")
    return TaskSummary(
        **{name: field(name, str) for name in ("id", "family", "variant", "size")},
        **{name: field(name, str) for name in ("provenance", "difficulty", "description")},
        **{name: field(name, int) for name in ("seed", "domain_size")},
        tracks=tuple(tracks),
        folder=folder,
    )


def is_sealed(folder: Path) -> bool:
    """Whether a task's truth is withheld: its folder has questions and no mechanism."""
    return (folder / QUESTIONS).is_dir() and not (folder / TRUTH).exists()


def bundled_tasks() -> list[TaskSummary]:
    """Every task of every installed family, ordered by id.

    Raises:
        PeabenchError: a task's file is malformed, or its id is not `family/folder`.
    """
    found = (_tasks_in(family.checkpoints, family.name) for family in families().values())
    return sorted((task for tasks in found for task in tasks), key=lambda task: task.id)


def copies() -> list[TaskSummary]:
    """The bundled tasks and then the downloaded ones, of which some may have the id of another.

    Raises:
        PeabenchError: a task's file is malformed, or its id is not `family/folder`.
    """
    families_here = (folder for snapshot in current_snapshots() for folder in sorted(snapshot.tasks.glob("*")))
    return bundled_tasks() + [task for folder in families_here for task in _tasks_in(folder, folder.name)]


def installed_tasks() -> list[TaskSummary]:
    """Every task that is here, bundled or downloaded, once, ordered by id; of several copies the bundled one.

    Raises:
        PeabenchError: a task's file is malformed, or its id is not `family/folder`.
    """
    first = {task.id: task for task in reversed(copies())}
    return [first[task] for task in sorted(first)]


def _tasks_in(folder: Path, family: str) -> Iterator[TaskSummary]:
    for file in sorted(folder.glob(f"*/{RECORD}")):
        task = summarise(file.parent)
        expected = f"{family}/{file.parent.name}"
        if task.id != expected:
            raise PeabenchError(f"{file}: field 'id' must be {expected!r} after its folder, but is {task.id!r}.")
        yield task


def matching(ids: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The ids that match any of the patterns (shell globs, `boolean/tree-*`), in their own order.

    Raises:
        PeabenchError: a pattern matches none.
    """
    known = list(ids)
    chosen: set[str] = set()
    for pattern in patterns:
        matched = {task for task in known if fnmatchcase(task, pattern)}
        if not matched:
            raise PeabenchError(f"No task matches {pattern!r}; {suggestion(pattern, known, 'peabench tasks')}")
        chosen |= matched
    return [task for task in known if task in chosen]


def select(tasks: Sequence[TaskSummary], patterns: Iterable[str]) -> list[TaskSummary]:
    """The tasks whose id matches any of the patterns, in their own order.

    Raises:
        PeabenchError: a pattern matches none.
    """
    chosen = set(matching((task.id for task in tasks), patterns))
    return [task for task in tasks if task.id in chosen]


def content_hash(folder: Path) -> str:
    """SHA-256 of what a task says and is: its files' relative names and bytes, in the order of their names.

    The card (`README.md`) and the certificate are outside it, those of companions too: they are written about the
    content. So are hidden files.
    """
    digest = hashlib.sha256()
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    for name in names:
        parts = name.split("/")
        owner = parts[2:] if parts[0] == COMPANIONS else parts
        if len(owner) == 1 and owner[0] in OUTSIDE_THE_HASH:
            continue
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
