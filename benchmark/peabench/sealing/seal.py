"""`peabench seal`: draw fresh tasks from a secret, certify them, and part what is published from what is kept."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from peabench.catalogue import summarise
from peabench.errors import PeabenchError
from peabench.mechanism.files import write_files
from peabench.registry import Draft, function_at
from peabench.sealing.commitments import NONCE_FILE, commitment
from peabench.sealing.halves import replace_folder, stamp, write_private_half, write_public_half
from peabench.sealing.keys import derive
from peabench.sealing.lots import Lot
from peabench.sealing.truth import LOTS_FILE
from peabench.suites import SUITE_FILE, Suite, frozen
from peabench.tasks import CERTIFICATE_FILE, Task, load_task

DRAFTS = ".drafts"
MAKING = ".making"
VERSION = 1
DESCRIPTION = "Fresh tasks whose truth is withheld until it is revealed; the commitments bind it."

Progress = Callable[[str, float], None]


def seal(secret: bytes, lots: Sequence[Lot], public: Path, private: Path, progress: Progress) -> Suite:
    """Make a sealed suite. What is finished stays when this is stopped; the same call goes on from there.

    Args:
        secret: of the suite.
        lots: its tasks, from `draw_lots`.
        public: a folder that must not exist yet; it appears when all of it is there.
        private: the folder of the truth, readable by its owner alone.
        progress: told what is being done and how much of it.

    Raises:
        PeabenchError: the folders are taken by something else, or a task was not certified.
    """
    public, private = public.resolve(), private.resolve()  # `.` has no name that another folder could stand beside
    _refuse_taken(public, private)
    private.mkdir(parents=True, exist_ok=True)
    private.chmod(0o700)
    _claim(private, secret, lots)
    _draw(lots, private, progress)
    progress("sealing", 0.0)
    for done, lot in enumerate(lots, 1):
        _keep(lot, private)
        progress("sealing", done / len(lots))
    return _publish(lots, public, private, progress)


def _refuse_taken(public: Path, private: Path) -> None:
    if public.exists() and (not public.is_dir() or any(public.iterdir())):
        raise PeabenchError(f"{public} is there already; name a new folder with --out, or remove that one.")
    if private.exists() and not private.is_dir():
        raise PeabenchError(f"{private} is a file; name a new folder with --truth.")
    if public.is_relative_to(private) or private.is_relative_to(public):
        raise PeabenchError(f"{public} and {private} must lie apart, for one is published and the other kept.")


def _claim(private: Path, secret: bytes, lots: Sequence[Lot]) -> None:
    """Note whose truth is kept here, or refuse if it is another suite's."""
    told = {
        "suite": lots[0].suite,
        "secret": derive(secret, lots[0].suite, "which secret").hex(),
        "tasks": {lot.id: lot.origin for lot in lots},
    }
    content = (json.dumps(told, indent=1) + "\n").encode()
    file = private / LOTS_FILE
    if file.exists() and file.read_bytes() != content:
        raise PeabenchError(
            f"{private} holds the truth of another suite, secret or choice of tasks; name another folder with --truth, "
            "or give the command that it was begun with."
        )
    if not file.exists() and any(path.name[0] != "." for path in private.iterdir()):
        raise PeabenchError(f"{private} holds other files already; name a new folder with --truth.")
    write_files(private, {LOTS_FILE: content})


def _draw(lots: Sequence[Lot], private: Path, progress: Progress) -> None:
    """Have every family draw those of its tasks that are not there yet."""
    missing = [lot for lot in lots if not _is_kept(lot, private) and _drawn(lot, private) is None]
    for family in {lot.family.name: lot.family for lot in missing}.values():
        drafts = [Draft(_draft_folder(lot, private), lot.kind, lot.key) for lot in missing if lot.family is family]
        if family.drawing is not None:
            function_at(family.drawing.draw)(drafts, progress)
    absent = [lot.origin for lot in missing if _drawn(lot, private) is None]
    if absent:
        raise PeabenchError(f"{len(absent)} tasks were not certified when drawn, one of them {absent[0]}; seal again.")


def _keep(lot: Lot, private: Path) -> None:
    """The private half of a task, made of its draft."""
    if _is_kept(lot, private):
        return
    draft = _drawn(lot, private)
    if draft is None:
        raise PeabenchError(f"The draft of {lot.name} has gone from {private}; seal again.")
    making = private / MAKING / lot.name
    shutil.rmtree(making, ignore_errors=True)
    write_private_half(draft, lot, making)
    replace_folder(making, private / lot.name)


def _publish(lots: Sequence[Lot], public: Path, private: Path, progress: Progress) -> Suite:
    """Write the public half beside its place, then put it there as a whole."""
    making = public.with_name(f".{public.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    progress("publishing", 0.0)
    for done, lot in enumerate(lots, 1):
        write_public_half(load_task(private / lot.name), making / lot.name)
        progress("publishing", done / len(lots))
    summaries = [summarise(making / lot.name) for lot in lots]
    suite = frozen(lots[0].suite, VERSION, DESCRIPTION, summaries)
    commitments = {lot.id: commitment(private / lot.name) for lot in sorted(lots, key=lambda lot: lot.id)}
    suite = Suite.model_validate(suite.model_dump() | {"commitments": commitments})
    document = {SUITE_FILE: (suite.model_dump_json(indent=1) + "\n").encode()}
    write_files(making, document)
    write_files(private, document)
    for scratch in (DRAFTS, MAKING):
        shutil.rmtree(private / scratch, ignore_errors=True)
    stamp(making)
    stamp(private)
    public.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(making, public)
    return suite


def _is_kept(lot: Lot, private: Path) -> bool:
    """Whether the private half of a task is there; it appears as a whole."""
    return (private / lot.name / NONCE_FILE).exists()


def _drawn(lot: Lot, private: Path) -> Task | None:
    """The draft of a task, if it is there with a certificate that passed."""
    folder = _draft_folder(lot, private)
    if not (folder / CERTIFICATE_FILE).exists():
        return None
    task = load_task(folder)
    return task if all(check.passed for check in task.certificate) else None


def _draft_folder(lot: Lot, private: Path) -> Path:
    return private / DRAFTS / lot.name
