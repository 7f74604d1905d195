"""A task's files beside its page: copies of them, where they are small."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from peabench.catalogue import TaskSummary
from peabench_leaderboard.site.slugs import slug

FOLDER = "files"
"""Where the copies stand in a site."""
LARGEST_COPIED = 1_000_000
"""Bytes of all files of a task, beyond which a site has no copy of them."""


@dataclass(frozen=True)
class TaskFile:
    """A file of a task."""

    source: Path
    content: bytes
    copy: str | None
    """Its copy, from the site's root; None where the site has none."""
    name: str
    """Its path in the task's folder."""

    @property
    def folder(self) -> str:
        """The task's, from the import package on: what stands before it differs from machine to machine."""
        parts = self.source.parents[self.name.count("/")].parts
        packages = [i for i in range(1, len(parts)) if (Path(*parts[: i + 1]) / "__init__.py").is_file()]
        return "/".join(parts[packages[0] :] if packages else parts[-2:])

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def digest(self) -> str:
        """SHA-256."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def address(self) -> str | None:
        """Of its copy, as a link from the site's root."""
        return quote(self.copy) if self.copy else None


def task_files(task: TaskSummary) -> list[TaskFile]:
    """The files of a task by name, its companions' after its own; hidden ones are none of it."""
    found = [path for path in task.folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    sources = sorted(found, key=lambda path: (len(path.parts), path))
    contents = [source.read_bytes() for source in sources]
    copied = sum(map(len, contents)) <= LARGEST_COPIED
    return [
        TaskFile(source, content, f"{FOLDER}/{slug(task.id)}/{name}" if copied else None, name)
        for source, content in zip(sources, contents, strict=True)
        for name in [source.relative_to(task.folder).as_posix()]
    ]


def copies(task: TaskSummary) -> Iterator[tuple[str, bytes]]:
    """The copies of a task's files, as path and content."""
    return ((file.copy, file.content) for file in task_files(task) if file.copy)
