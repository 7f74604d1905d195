"""Publishing a suite: a folder of tasks, its manifest and its card go to a repository on the Hub in one commit."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from peabench.catalogue import COMPANIONS, RECORD, TaskSummary, summarise
from peabench.errors import PeabenchError
from peabench.hub.connection import client, plainly, refused_as_moved
from peabench.hub.published import Published
from peabench.hub.sealed import is_sealed_suite, sealed_card, sealed_files, task_card
from peabench.manifests import FileSum, SuiteManifest, manifest_of
from peabench.snapshots import MANIFEST
from peabench.suites import ON_THE_HUB, SUITE_FILE, Suite, difference, frozen, suite_in, tasks_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    from peabench.tasks import Task

CARD = "README.md"
KEPT = frozenset({".gitattributes"})
"""What the Hub itself puts into a repository."""
FILES = frozenset({RECORD, "mechanism.json", "model.safetensors", "certificate.json", CARD})
"""What every task folder holds; beside them there may be tensors of the mechanism, and twins."""
TENSORS = "mechanism.safetensors"
DESCRIPTION = "Certified tasks of every family."


@dataclass(frozen=True)
class Release:
    """A suite that is ready to be published."""

    manifest: SuiteManifest
    tasks: tuple[TaskSummary, ...]
    made: Mapping[str, bytes] = field(default_factory=dict)
    """What is written for it and lies in no folder, by path in the repository."""

    @property
    def suite(self) -> Suite:
        """That is published."""
        return self.manifest.suite

    @property
    def size(self) -> int:
        """Bytes of all task files."""
        return sum(entry.size for files in self.manifest.files.values() for entry in files.values())

    @property
    def contents(self) -> Mapping[str, Path | bytes]:
        """What the repository will hold, by path: files of this machine, or bytes."""
        folders = {task.id: task.folder for task in self.tasks}
        files = {
            f"{task}/{name}": folders[task] / name for task, named in self.manifest.files.items() for name in named
        }
        return {CARD: card(self).encode(), MANIFEST: self.manifest.to_bytes(), **files, **self.made}


def prepare(
    folder: Path, name: str | None = None, version: int | None = None, description: str | None = None
) -> Release:
    """Check a folder of tasks, and make the release of a suite of it. The Hub is not asked.

    That the certificates are true is not measured here; `peabench publish` does so before it uploads.

    Args:
        folder: holds task folders, at any depth, and nothing else; or the published half of a sealed suite.
        name: of the suite; `full` if not given. A sealed suite has its own, and so with the others.
        version: of the suite; 1 if not given.
        description: of the suite, a sentence.

    Raises:
        PeabenchError: there is no task in it, a task does not load, has no certificate that passed or no card, two
            tasks share an id, or there is a file that belongs to no task. Of a sealed suite: a task is not the one that
            it froze, or there is a file that may hold truth.
    """
    if is_sealed_suite(folder):
        return _prepare_sealed(suite_in(folder), folder, name, version, description)
    records = (file for file in sorted(folder.rglob(RECORD)) if COMPANIONS not in file.relative_to(folder).parts)
    tasks = [summarise(file.parent) for file in records]
    if not tasks:
        raise PeabenchError(f"{folder} holds no task folders; name a folder such as `peabench train --out` makes.")
    for id, count in Counter(task.id for task in tasks).items():
        if count > 1:
            raise PeabenchError(f"{folder} holds {count} tasks with the id {id}; keep one of them.")
    belonging = {file for task in tasks for file in _files_of(task)}
    _refuse_stray(folder, belonging)
    suite = frozen(name or ON_THE_HUB, version or 1, description or DESCRIPTION, tasks)
    return Release(manifest_of(suite, {task.id: task.folder for task in tasks}), tuple(tasks))


def _refuse_stray(folder: Path, belonging: Collection[Path]) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or (not file.is_dir() and file not in belonging):
            raise PeabenchError(f"{file} is no file of a task; remove it, everything in {folder} would be published.")


def _prepare_sealed(
    suite: Suite, folder: Path, name: str | None, version: int | None, description: str | None
) -> Release:
    """The release of a sealed suite's published half: the files of its tasks, a card for each, and its document."""
    told = (name or suite.name, version or suite.version, description or suite.description)
    if told != (suite.name, suite.version, suite.description):
        raise PeabenchError(
            f"{folder} is the sealed suite {suite.name}, version {suite.version}, and is published as that; leave out "
            "--suite, --version and --description."
        )
    tasks = tasks_of(suite)
    belonging = {folder / SUITE_FILE, *(file for task in tasks for file in sealed_files(task))}
    _refuse_stray(folder, belonging)
    for task in tasks:
        problem = difference(suite, task)
        if problem is not None:
            raise PeabenchError(problem)
    cards = {f"{task.id}/{CARD}": task_card(suite, task) for task in tasks}
    found = manifest_of(suite, {task.id: task.folder for task in tasks}).files
    files = {task.id: found[task.id] | {CARD: FileSum.of(cards[f"{task.id}/{CARD}"])} for task in tasks}
    made = cards | {SUITE_FILE: (folder / SUITE_FILE).read_bytes()}
    return Release(SuiteManifest(suite=suite, files=files), tuple(tasks), made)


def publish(release: Release, repo: str, token: str | None = None) -> Published:
    """Make a repository on the Hub hold a release and nothing else, in one commit; it is created if need be.

    Args:
        release: from `prepare`.
        repo: `owner/name`.
        token: by default `HF_TOKEN`, or that of `hf auth login`.

    Returns:
        Where it can be downloaded from, pinned to the commit and to the manifest's sum.

    Raises:
        PeabenchError: the Hub refuses or cannot be reached, or someone else changed the repository meanwhile.
    """
    from huggingface_hub.errors import HfHubHTTPError

    hub = client(token)
    with plainly(repo):
        hub.create_repo(repo, exist_ok=True)
        info = hub.model_info(repo)
        try:
            commit = hub.create_commit(
                repo,
                _operations(release, {sibling.rfilename for sibling in info.siblings or ()}),
                commit_message=f"Suite {release.manifest.suite.name}, version {release.manifest.suite.version}",
                parent_commit=info.sha,
            )
        except HfHubHTTPError as error:
            if refused_as_moved(error):
                raise PeabenchError(
                    f"{repo} was changed by someone else meanwhile; look at it, then give the same command again."
                ) from error
            raise
    return Published(
        repo=repo, revision=commit.oid, manifest_sha256=hashlib.sha256(release.manifest.to_bytes()).hexdigest()
    )


METADATA = """---
license: apache-2.0
library_name: peabench
tags:
- interpretability
- mechanistic-interpretability
- benchmark
- peabench
---
"""
"""What the Hub reads of a card."""


def card(release: Release) -> str:
    """The repository's page: metadata for the Hub, then what the suite holds and how to fetch it."""
    suite = release.suite
    if suite.sealed:
        return METADATA + sealed_card(suite, release.tasks)
    families: dict[str, list[TaskSummary]] = {}
    for task in release.tasks:
        families.setdefault(task.family, []).append(task)
    rows = "\n".join(_row(family, families[family]) for family in sorted(families))
    return f"""{METADATA}
# The suite {suite.name} of Peabench, version {suite.version}

{suite.description}

Small trained networks whose mechanism is known and machine-checked, one folder per task: weights, mechanism,
certificate, card. Weights are float32 safetensors; nothing here is pickled.

| family | tasks | variants | sizes | made |
|---|---:|---|---|---|
{rows}

`{MANIFEST}` has the SHA-256 of every file. `peabench download` checks all of them before a task is used:

    peabench download --suite {suite.name} --repo OWNER/NAME
    peabench run --suite {suite.name}
"""


def _row(family: str, tasks: Sequence[TaskSummary]) -> str:
    columns = ({getattr(task, name) for task in tasks} for name in ("variant", "size", "provenance"))
    return f"| {family} | {len(tasks)} | {' | '.join(', '.join(sorted(values)) for values in columns)} |"


def _files_of(task: TaskSummary) -> Iterator[Path]:
    """The files that a task folder must and may hold, those of its companions among them, which need no cards.

    Raises:
        PeabenchError: the task is not whole.
    """
    from peabench.tasks import load_task

    loaded = load_task(task.folder)
    yield from _files_of_network(loaded, FILES)
    for companion in loaded.companions:
        yield from _files_of_network(companion, FILES - {CARD})
        if (companion.folder / CARD).is_file():
            yield companion.folder / CARD


def _files_of_network(task: "Task", files: Collection[str]) -> Iterator[Path]:
    task.network()
    for provenance in {twin.provenance for twin in task.record.twins}:
        task.twin(provenance)
    _ = task.mechanism
    failed = [check.name for check in task.certificate if not check.passed]
    if failed or not task.certificate:
        problem = f"the check {failed[0]!r} did not pass" if failed else "it has no checks"
        raise PeabenchError(
            f"{task.folder / 'certificate.json'} certifies nothing: {problem}; mend or remove the task."
        )
    for name in sorted({*files, *(twin.file for twin in task.record.twins if twin.file is not None)}):
        if not (task.folder / name).is_file():
            raise PeabenchError(f"{task.folder} has no {name}; `peabench train` makes whole task folders.")
        yield task.folder / name
    yield task.folder / TENSORS


def _operations(release: Release, present: set[str]) -> "list[CommitOperationAdd | CommitOperationDelete]":
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    contents = release.contents
    return [
        *(CommitOperationDelete(path) for path in sorted(present - set(contents) - KEPT)),
        *(
            CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in contents.items()
        ),
    ]
