"""The two halves of a sealed task: what is published, and what is kept until the truth is revealed.

| | public half | private half |
|---|---|---|
| `task.json` | network, domain, tracks, number of examples; not variant, companions, cues, salt ... | all of it |
| `model.safetensors` | the network, its gauge changed, unless questions hold activations alone | the same bytes |
| `questions/` | what scorers are handed | |
| `mechanism.json`, `mechanism.safetensors`, `certificate.json` | | the truth |
| `companions/` | as networks of a question, if at all | tasks with their truth |
| `nonce` | | with the files above it gives the commitment |
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from peabench.catalogue import QUESTIONS, RECORD
from peabench.certification import certify
from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.mechanism.files import read_file, write_files
from peabench.question_files import encode_questions, holds_network
from peabench.questions import made_questions
from peabench.regauging import save_regauged
from peabench.sealing.commitments import write_nonce
from peabench.sealing.keys import derive, derive_seed
from peabench.sealing.lots import VARIANT, Lot, task_family
from peabench.tasks import (
    LARGEST_CHECKPOINT_BYTES,
    WEIGHTS_FILE,
    Task,
    TaskRecord,
    Twin,
    save_certificate,
)

QUESTIONS_SEED = 0
"""Of the published questions."""
GAUGES = 3
"""How many are tried: rounding after one may, rarely, break a check by a hair."""
EPOCH = 946_684_800
"""2000-01-01, the time stamp of all files."""


def write_private_half(draft: Task, lot: Lot, folder: Path) -> None:
    """Change a drawn task's gauge, certify it again under its public name, and write it with a nonce.

    Raises:
        PeabenchError: it does not pass, has nothing to ask about, or would publish the network that one of its tracks
            withholds.
    """
    record = private_record(draft.record, lot)
    _refuse_mixed_tracks(record, lot)
    record = _with_focus(draft, record, lot)
    failed = ""
    for attempt in range(GAUGES):
        generator = generator_of(derive_seed(lot.key, "gauge", attempt))
        made = save_regauged(folder, draft, record, generator)
        measured = {part.folder: certify(part) for part in (*made.companions, made)}
        checks = [check for some in measured.values() for check in some]
        if all(check.passed for check in checks):
            for part, passed in measured.items():
                save_certificate(part, passed)
            write_nonce(folder)
            return
        failed = "; ".join(f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed)
    raise PeabenchError(f"{lot.name} does not pass its certificate once its gauge is changed ({failed}); seal again.")


def private_record(drawn: TaskRecord, lot: Lot) -> TaskRecord:
    """The record of a task under its neutral id, with what it really is in words and a salt.

    Its only twin is the untrained one; its seed is the task's number, which tells nothing.
    """
    return TaskRecord(
        **drawn.model_dump(exclude={"id", "family", "variant", "size", "seed", "description", "twins", "salt"}),
        id=lot.id,
        family=task_family(lot.suite),
        variant=VARIANT,
        size=lot.size,
        seed=lot.number,
        description=f"Drawn as {lot.origin}. {drawn.description}",
        twins=(Twin(name="random", provenance="random_init", seed=lot.number),),
        salt=derive(lot.key, "salt").hex(),
    )


def public_record(private: TaskRecord) -> TaskRecord:
    """The record without all that says what a task is, beyond its network, domain and the number of its examples."""
    texts = dict.fromkeys(("difficulty", "description", "salt"), "")
    lists: dict[str, tuple[()]] = dict.fromkeys(("focus", "companions", "cues"), ())
    return private.model_copy(update={**texts, **lists, "training": None})


def write_public_half(task: Task, folder: Path) -> None:
    """Write what is published of a sealed task.

    Args:
        task: its private half.
        folder: of the public one.
    """
    record = public_record(task.record)
    contents = {RECORD: (record.model_dump_json(indent=1) + "\n").encode()}
    if publishes_weights(record):
        contents[WEIGHTS_FILE] = read_file(task.folder, WEIGHTS_FILE, LARGEST_CHECKPOINT_BYTES)
    write_files(folder, contents)
    for track in record.tracks:
        write_files(folder / QUESTIONS, question_contents(task, track))


def publishes_weights(record: TaskRecord) -> bool:
    """Whether the network is among what is published: not where no question holds it, for it would give features away.

    `docs/decisions/features-are-asked-of-activations.md` says how.
    """
    return any(_hands_out_the_network(record))


def question_contents(task: Task, track: str) -> dict[str, bytes]:
    """The files of the questions that are published about a task, made from its truth."""
    from peabench import tracks

    asked = tracks.get(track)
    return encode_questions(asked, QUESTIONS_SEED, made_questions(asked, task, task.record.id, QUESTIONS_SEED))


def stamp(folder: Path) -> None:
    """Give every file and folder one and the same time: how long a task took to make says how hard it was to train."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (EPOCH, EPOCH))


def replace_folder(made: Path, folder: Path) -> None:
    """Put a folder that was made under another name in its place, in one step."""
    if folder.exists():
        shutil.rmtree(folder)
    made.replace(folder)


def _refuse_mixed_tracks(record: TaskRecord, lot: Lot) -> None:
    handed_out = _hands_out_the_network(record)
    if any(handed_out) and not all(handed_out):
        withholding = record.tracks[handed_out.index(False)]
        raise PeabenchError(
            f"{lot.name} ({lot.origin}) asks {withholding}, whose questions withhold the network, and another track, "
            "whose questions publish it; have its family draw a task for each."
        )


def _hands_out_the_network(record: TaskRecord) -> list[bool]:
    from peabench import tracks

    return [holds_network(tracks.get(track)) for track in record.tracks]


def _with_focus(draft: Task, record: TaskRecord, lot: Lot) -> TaskRecord:
    """The record with a single variable to be asked about, so that the number of questions says nothing.

    It is drawn among those that the task would be asked about if it were public.
    """
    from peabench.tracks.variables import asked_variables

    if "variables" not in record.tracks:
        return record
    names = asked_variables(draft)
    first = derive_seed(lot.key, "asked variable") % len(names)
    for name in names[first:] + names[:first]:
        focused = record.model_copy(update={"focus": (name,)})
        try:
            asked_variables(replace(draft, record=focused))
        except PeabenchError:  # by a hair: pairs that are looked at are drawn anew with the record
            continue
        return focused
    raise PeabenchError(f"{lot.name} has no variable that can be asked about; seal again.")
