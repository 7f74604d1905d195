"""Where tasks are downloaded from: what this release of Peabench records as published, unless a user says otherwise."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.suites import Sha256

RECORD = Path(__file__).with_name("published.json")
REPO = "PEABENCH_HUB_REPO"
REVISION = "PEABENCH_HUB_REVISION"
NEWEST = "main"

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class Published(BaseModel):
    """A suite on the Hub, pinned to a commit and to the sums of all its files. `peabench publish` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    repo: str | None = None
    """`owner/name`; None as long as nothing has been published."""
    revision: Commit | None = None
    manifest_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len({field is None for field in (self.repo, self.revision, self.manifest_sha256)}) > 1:
            raise ValueError("repo, revision and manifest_sha256: expected all of them or none")
        return self


@dataclass(frozen=True)
class Source:
    """What to download from."""

    repo: str
    revision: str
    manifest_sha256: str | None = None
    """What the manifest must be, where that is recorded."""


def published() -> Published:
    """What this release of Peabench records as published."""
    return read_document(RECORD, Published, "record of what is published")


def known_repo(repo: str | None = None) -> str | None:
    """The repository to download from: what is given here, else `PEABENCH_HUB_REPO`, else what is recorded."""
    return repo or os.environ.get(REPO) or published().repo


def source(repo: str | None = None, revision: str | None = None) -> Source:
    """The repository and revision to download from.

    The revision is what is given here, else `PEABENCH_HUB_REVISION`, else the recorded one; of a repository that is not
    the recorded one, the newest.

    Raises:
        PeabenchError: no repository is given, and none is recorded.
    """
    repo, recorded = known_repo(repo), published()
    revision = revision or os.environ.get(REVISION) or None
    if repo is None:
        raise PeabenchError(
            "No suite of Peabench has been published on the Hub yet, so there is nothing to download by default; "
            f"name a repository that you know of with --repo owner/name or {REPO}."
        )
    if repo != recorded.repo or recorded.revision is None:
        return Source(repo, revision or NEWEST)
    if revision in (None, recorded.revision):
        return Source(repo, recorded.revision, recorded.manifest_sha256)
    return Source(repo, revision)
