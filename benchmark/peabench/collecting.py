"""Collecting the results of a run: from a file per cell to a file per scorer and suite, fit to be committed."""

import hashlib
from collections.abc import Sequence, Set
from itertools import groupby
from pathlib import Path

from peabench.answers import encode, read_answers
from peabench.collected import MANIFEST, Collected, CollectedCell, Manifest, read_manifest, sha256
from peabench.errors import PeabenchError
from peabench.results import CellResult, Verification, mean_metrics, read_all
from peabench.storage import write_whole
from peabench.suites import Suite, tasks_of


def collect(run: Path, to: Path, suite: Suite, verification: Verification = "self-reported") -> list[Collected]:
    """Write the results of a run, those of a suite's tasks as it froze them, to a folder of collected results.

    Files of other scorers and suites in that folder stay; those of the same ones are replaced, whichever version of the
    suite they are of. Where this is killed half-way, doing it again mends the folder.

    Args:
        run: what `peabench run --out` made.
        to: folder of collected results; made if it is not there.
        suite: whose tasks.
        verification: whether who collects vouches for having run the scorers' code.

    Returns:
        The documents written.

    Raises:
        PeabenchError: a result or its answers are damaged, no result is of the suite, results of one scorer are of
            several versions, or what stands in `to` is not what its manifest lists.
    """
    from peabench import tracks

    found, problems = read_all(run)
    if problems:
        raise PeabenchError(problems[0])
    refuse_run(to)
    chosen = [result for result in found if suite.tasks.get(result.key.task) == result.key.content_hash]
    if not chosen:
        raise PeabenchError(
            f"{run} holds no result of a task of the suite {suite.name} version {suite.version}; name another with "
            "--suite."
        )
    collected: list[tuple[Collected, bytes]] = []
    chosen.sort(key=lambda result: (result.key.track, result.key.scorer, result.key.task, result.key.seed))
    for _, group in groupby(chosen, key=lambda result: (result.key.track, result.key.scorer)):
        results = list(group)
        document = document_of(results, suite, verification)
        kept = tracks.get(document.track).collects_answers
        answers = {c.name: read_answers(run, r.key) for c, r in zip(document.cells, results, strict=True) if kept}
        collected.append((document, encode({n: given for n, given in answers.items() if given is not None})))
    put(to, collected)
    return [document for document, _ in collected]


def refuse_run(to: Path) -> None:
    """Refuse a folder that holds the results of a run: collected ones beside them would count twice.

    Raises:
        PeabenchError: it does.
    """
    if any(to.glob("*/*/*.json")):
        raise PeabenchError(f"{to} holds the results of a run; delete them or name another folder with --to.")


def put(to: Path, collected: Sequence[tuple[Collected, bytes]]) -> None:
    """Write documents and the files of their answers to a folder of collected results, and list them there.

    Files of other scorers and suites in that folder stay; those of the same ones are replaced, whichever version of the
    suite they are of. Where this is killed half-way, doing it again mends the folder.

    Args:
        to: folder of collected results; made if it is not there.
        collected: each document, and its answers as `peabench.answers.encode` gives them by the names of its cells.

    Raises:
        PeabenchError: what stands in `to` is not what its manifest lists, or it cannot be written.
    """
    written = [document for document, _ in collected]
    contents: dict[str, bytes] = {}
    for document, answers in collected:
        contents[document.answers_file.as_posix()] = answers
        contents[document.file.as_posix()] = document.text().encode()
    older = _of_other_versions(to, written)
    kept = _kept_files(to, {*contents, *older})
    manifest = Manifest(
        files=dict(sorted((kept | {name: hashlib.sha256(c).hexdigest() for name, c in contents.items()}).items()))
    )
    _write(to, contents | {MANIFEST: (manifest.model_dump_json(indent=1) + "\n").encode()})
    for name in older:
        (to / name).unlink(missing_ok=True)


def gaps(documents: Sequence[Collected], suite: Suite) -> list[str]:
    """One sentence for each scorer that has no result for some tasks of the suite that serve its track."""
    found = []
    for document in documents:
        asked = {task.id for task in tasks_of(suite) if document.track in task.tracks}
        missing = sorted(asked - {cell.task for cell in document.cells})
        if missing:
            found.append(f"{document.scorer} has no result for {len(missing)} tasks of {suite.name}: {missing[0]} ...")
    return found


def document_of(results: Sequence[CellResult], suite: Suite, verification: Verification = "self-reported") -> Collected:
    """The results of one scorer on a suite as one document.

    Raises:
        PeabenchError: they are of several versions of the scorer or its track, or the metrics of one are not the means
            of its questions'.
    """
    first = results[0].key
    for result in results:
        key = result.key
        versions = {(k.track_version, k.scorer_version, k.source_hash) for k in (first, key)}
        if len(versions) > 1:
            raise PeabenchError(
                f"The results of {key.scorer} on {first.task} and {key.task} are of different versions; run it again "
                "so that all are of one."
            )
        if result.metrics != mean_metrics(result.questions):
            raise PeabenchError(
                f"The metrics of {key.scorer} on {key.task} are not the means of its questions'; run the cell again."
            )
    environments: list[dict[str, str]] = []
    for result in results:
        if result.environment not in environments:
            environments.append(result.environment)
    return Collected(
        track=first.track,
        track_version=first.track_version,
        scorer=first.scorer,
        scorer_version=first.scorer_version,
        source_hash=first.source_hash,
        role=results[0].role,
        suite=f"{suite.name} {suite.version}",
        verification=verification,
        environments=environments,
        cells=[
            CollectedCell(
                task=result.key.task,
                provenance=result.provenance,
                seed=result.key.seed,
                device=result.key.device,
                content_hash=result.key.content_hash,
                others_hash=result.key.others_hash,
                status=result.status,
                reason=result.reason,
                questions=result.questions,
                cost=result.cost,
                answer_hash=result.answer_hash,
                environment=environments.index(result.environment),
            )
            for result in results
        ],
    )


def _write(to: Path, contents: dict[str, bytes]) -> None:
    try:
        for name, content in contents.items():
            write_whole(to / name, content)
    except OSError as error:
        raise PeabenchError(f"{to} cannot hold results ({error.strerror}); name another folder with --to.") from error


def _of_other_versions(to: Path, written: Sequence[Collected]) -> set[str]:
    """Files in a folder with results of the same scorers on other versions of the same suites."""
    found: set[str] = set()
    for document in written:
        stem = f"{document.scorer}.{document.suite_name}-"
        for file in (to / document.track).glob(f"{stem}*.*"):
            if file.stem != document.file.stem and file.stem.removeprefix(stem).isdecimal():
                found.add(file.relative_to(to).as_posix())
    return found


def _kept_files(to: Path, replaced: Set[str]) -> dict[str, str]:
    """Sums of the collected files that stand in a folder and stay there, each as its manifest lists it."""
    if not (to / MANIFEST).exists():
        return {}
    sums = {name: sum_ for name, sum_ in read_manifest(to).files.items() if name not in replaced}
    present = {name: sha256(to / name) for name in sums if (to / name).is_file()}
    changed = [name for name in present if present[name] != sums[name]]
    if changed:
        raise PeabenchError(
            f"{to / changed[0]} is not the one that {to / MANIFEST} lists; restore it, or delete it with its answers."
        )
    return present
