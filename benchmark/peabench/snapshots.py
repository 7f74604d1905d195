"""Downloaded tasks: snapshots of repositories on the Hub, in a cache folder; listing them needs no client, no torch.

- `CACHE/owner--name/current.json`: which commit of `owner/name` the commands see
- `CACHE/owner--name/COMMIT/suite.json`: the suite that it holds
- `CACHE/owner--name/COMMIT/manifest.json`: the SHA-256 of every file of it
- `CACHE/owner--name/COMMIT/tasks/`: verified tasks, each put there whole as `family/variant-size-seed`
- `CACHE/owner--name/COMMIT/incoming/`: what is on its way
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from peabench.documents import read_json
from peabench.errors import PeabenchError
from peabench.storage import write_whole

CACHE = "PEABENCH_CACHE"
CURRENT = "current.json"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Snapshot:
    """What was downloaded of a repository at one commit."""

    repo: str
    """`owner/name` on the Hub."""
    revision: str
    """What was asked for: a branch, a tag or a commit."""
    commit: str

    @property
    def home(self) -> Path:
        """Folder of the repository's snapshots."""
        return cache_folder() / self.repo.replace("/", "--")

    @property
    def folder(self) -> Path:
        """Folder of this one."""
        return self.home / self.commit

    @property
    def tasks(self) -> Path:
        """Folder of the tasks that were verified."""
        return self.folder / "tasks"

    @property
    def manifest(self) -> Path:
        """File with the SHA-256 of every file."""
        return self.folder / MANIFEST

    @property
    def suite(self) -> Path:
        """File of the suite that the repository holds."""
        return self.folder / "suite.json"

    def make_current(self) -> None:
        """Let commands see this snapshot, and no other of its repository."""
        fields = {"repo": self.repo, "revision": self.revision, "commit": self.commit}
        write_whole(self.home / CURRENT, json.dumps(fields).encode())


def cache_folder() -> Path:
    """`PEABENCH_CACHE`, or the folder `peabench` in the user's cache."""
    given = os.environ.get(CACHE)
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "peabench"


def current_snapshots() -> list[Snapshot]:
    """The snapshot that commands see of each repository, ordered by the repositories' names.

    Raises:
        PeabenchError: the file that names one is malformed.
    """
    found = []
    for file in sorted(cache_folder().glob(f"*/{CURRENT}")):
        named = read_json(file, "record of a download")
        if not (isinstance(named, dict) and all(isinstance(named.get(k), str) for k in ("repo", "revision", "commit"))):
            raise PeabenchError(f"{file} does not say which download it stands for; remove it and download again.")
        found.append(Snapshot(named["repo"], named["revision"], named["commit"]))
    return found
