"""Downloading tasks: fetched into a folder of their own, verified there, and only then put where they are found."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from peabench.catalogue import bundled_tasks, matching
from peabench.collected import sha256
from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.hub.connection import client, plainly
from peabench.hub.published import Source, source
from peabench.hub.watching import Watcher, bars
from peabench.manifests import LARGEST_MANIFEST_BYTES, SuiteManifest, flaw
from peabench.snapshots import MANIFEST, Snapshot, cache_folder, current_snapshots
from peabench.storage import write_whole
from peabench.suites import bundled_suites

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Downloaded:
    """What a download did."""

    snapshot: Snapshot
    suite: str
    version: int
    fetched: tuple[str, ...]
    """Ids of the tasks that came over the network, verified."""
    folders: Mapping[str, Path]
    """Where each task asked for lies, by id: those fetched, and those that were here already."""


def download(
    patterns: Sequence[str] = (),
    suite: str | None = None,
    repo: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    watcher: Watcher | None = None,
) -> Downloaded:
    """Have tasks of a repository on the Hub here, verified against its manifest.

    What is here already is not fetched again, and a download that broke off continues with the files that are missing.

    Args:
        patterns: ids or globs of tasks; all of the repository's suite if none.
        suite: name that the repository's suite must have.
        repo: `owner/name`; see `peabench.hub.published.source` for what is taken without it.
        revision: branch, tag or commit.
        token: by default `HF_TOKEN`, or that of `hf auth login`.
        watcher: told how far it is.

    Raises:
        PeabenchError: there is no such repository, revision, suite or task, the Hub refuses or cannot be reached, a
            file is not what the manifest says, or there is no room. What was verified until then stays.
    """
    wanted_from = source(repo, revision)
    snapshot = _located(wanted_from, token)
    with plainly(wanted_from.repo, wanted_from.revision, str(cache_folder())):
        snapshot.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(snapshot.folder / ".lock"):
            manifest = _manifest(snapshot, wanted_from, token)
            if suite not in (None, manifest.suite.name):
                raise PeabenchError(f"{snapshot.repo} holds the suite {manifest.suite.name}, not {suite}.")
            _refuse_taken_name(snapshot, manifest.suite.name)
            wanted = matching(manifest.files, patterns) if patterns else sorted(manifest.files)
            here = _here(wanted, snapshot, manifest)
            missing = [task for task in wanted if task not in here]
            wrong = _fetch(snapshot, manifest, missing, token, watcher) if missing else {}
            write_whole(snapshot.suite, manifest.suite.model_dump_json(indent=1).encode() + b"\n")
            snapshot.make_current()
    _refuse_wrong(wrong, snapshot)
    folders = {task: here.get(task, snapshot.tasks / task) for task in wanted}
    return Downloaded(snapshot, manifest.suite.name, manifest.suite.version, tuple(missing), folders)


def verified(task: str, snapshot: Snapshot) -> Path:
    """The folder of a downloaded task, once its files have been found to be what the manifest says.

    Raises:
        PeabenchError: one of them is not.
    """
    folder = snapshot.tasks / task
    problem = flaw(folder, read_document(snapshot.manifest, SuiteManifest, "manifest").files[task])
    if problem is not None:
        raise PeabenchError(
            f"{folder} is no longer what was downloaded ({problem}); `peabench download {task} --repo {snapshot.repo} "
            f"--revision {snapshot.revision}` restores it."
        )
    return folder


def _located(wanted: Source, token: str | None) -> Snapshot:
    """The snapshot that a source stands for; the Hub is asked which commit a branch or tag is."""
    if COMMIT.fullmatch(wanted.revision):
        return Snapshot(wanted.repo, wanted.revision, wanted.revision)
    with plainly(wanted.repo, wanted.revision):
        commit = client(token).repo_info(wanted.repo, revision=wanted.revision).sha
    return Snapshot(wanted.repo, wanted.revision, str(commit))


def _manifest(snapshot: Snapshot, wanted: Source, token: str | None) -> SuiteManifest:
    if not snapshot.manifest.exists():
        came = _manifest_from_the_hub(snapshot, token)
        try:
            if (size := came.stat().st_size) > LARGEST_MANIFEST_BYTES:
                raise PeabenchError(f"The manifest of {snapshot.repo} is too large to be one: {size} bytes.")
            _refuse_other_manifest(came, wanted)
            read_document(came, SuiteManifest, "manifest")
            came.replace(snapshot.manifest)
        finally:
            # The client would not fetch a file again that was wrong, and takes a folder that is not empty for all
            # there is when the Hub then cannot list its files.
            shutil.rmtree(_incoming(snapshot))
    _refuse_other_manifest(snapshot.manifest, wanted)
    return read_document(snapshot.manifest, SuiteManifest, "manifest")


def _manifest_from_the_hub(snapshot: Snapshot, token: str | None) -> Path:
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        return Path(
            client(token).hf_hub_download(
                snapshot.repo, MANIFEST, revision=snapshot.commit, local_dir=_incoming(snapshot), tqdm_class=bars(None)
            )
        )
    except RemoteEntryNotFoundError:
        raise PeabenchError(
            f"{snapshot.repo} has no {MANIFEST} at {snapshot.revision}, so it is no suite of tasks; name a repository "
            "that `peabench publish` made."
        ) from None


def _refuse_other_manifest(file: Path, wanted: Source) -> None:
    found = sha256(file)
    if wanted.manifest_sha256 in (None, found):
        return
    file.unlink()
    raise PeabenchError(
        f"The manifest of {wanted.repo} has the SHA-256 {found[:12]}, and this release of Peabench expects "
        f"{str(wanted.manifest_sha256)[:12]}; nothing of it was used, try again or tell the maintainers."
    )


def _refuse_taken_name(snapshot: Snapshot, name: str) -> None:
    others = {other.repo for other in current_snapshots() if other.repo != snapshot.repo and _suite_name(other) == name}
    if name in bundled_suites():
        raise PeabenchError(f"{snapshot.repo} holds a suite {name!r}, but an installed package has one of that name.")
    if others:
        raise PeabenchError(
            f"{snapshot.repo} holds a suite {name!r}, but so does the download of {min(others)}; remove "
            f"{cache_folder() / min(others).replace('/', '--')} first."
        )


def _suite_name(snapshot: Snapshot) -> str:
    return read_document(snapshot.manifest, SuiteManifest, "manifest").suite.name


def _here(tasks: Sequence[str], snapshot: Snapshot, manifest: SuiteManifest) -> dict[str, Path]:
    """The folders of the tasks that are here as the manifest has them, bundled or downloaded before."""
    bundled = {summary.id: summary.folder for summary in bundled_tasks()}
    found = {}
    for task in tasks:
        for folder in (bundled.get(task), snapshot.tasks / task):
            if folder is not None and folder.is_dir() and flaw(folder, manifest.files[task]) is None:
                found[task] = folder
                break
    return found


def _fetch(
    snapshot: Snapshot, manifest: SuiteManifest, tasks: Sequence[str], token: str | None, watcher: Watcher | None
) -> dict[str, str]:
    """Fetch tasks and put those in their places that are what the manifest says; why the others are not, by id."""
    client(token).snapshot_download(
        snapshot.repo,
        revision=snapshot.commit,
        local_dir=_incoming(snapshot),
        allow_patterns=[f"{task}/*" for task in tasks],
        tqdm_class=bars(watcher),
    )
    wrong = {}
    for task in tasks:
        came, place = _incoming(snapshot) / task, snapshot.tasks / task
        problem = flaw(came, manifest.files[task])
        if problem is not None:
            wrong[task] = problem
            continue
        shutil.rmtree(place, ignore_errors=True)  # one that was damaged here
        place.parent.mkdir(parents=True, exist_ok=True)
        came.rename(place)
    shutil.rmtree(_incoming(snapshot), ignore_errors=True)
    return wrong


def _refuse_wrong(wrong: Mapping[str, str], snapshot: Snapshot) -> None:
    if not wrong:
        return
    task, problem = min(wrong.items())
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    raise PeabenchError(
        f"{task}{more} did not come from {snapshot.repo} as its manifest says ({problem}); nothing of it was kept, "
        "give the same command again, and tell its maintainers if that does not help."
    )


def _incoming(snapshot: Snapshot) -> Path:
    return snapshot.folder / "incoming"
