"""The questions of a cell by name: `0`, `1`, ... and `0.twin`, the first of them about the task's twin."""

import hashlib
import re
from typing import TYPE_CHECKING, Any

from peabench.catalogue import is_sealed
from peabench.errors import PeabenchError
from peabench.results import CellKey
from peabench.seeds import seed_of

if TYPE_CHECKING:
    from peabench.tasks import Task
    from peabench.tracks import Track

TWIN = ".twin"
MOST_QUESTIONS = 4096
"""Of a cell, twins included."""
QUESTION_NAME = re.compile(rf"(?P<index>0|[1-9][0-9]{{0,3}})(?P<twin>{re.escape(TWIN)})?")


def questions_of(key: CellKey, task: "Task") -> dict[str, Any]:
    """The questions of a cell by name, in order, the same every time. They are shared: whoever asks them copies them.

    Those of a sealed task are read from its files, all others are made from the task's truth.

    Raises:
        PeabenchError: the track has none for this task, or their files are damaged.
    """
    from peabench import tracks

    track = tracks.get(key.track)
    if is_sealed(task.folder):
        from peabench.question_files import read_questions

        return read_questions(task, track, key.seed)
    found = made_questions(track, task, key.task, key.seed)
    if not found:
        raise PeabenchError(f"The track {key.track} has no question for {key.task}.")
    return found


def made_questions(track: "Track[Any, Any]", task: "Task", task_id: str, seed: int) -> dict[str, Any]:
    """The questions of a track, by name and in order, made from a task's truth."""
    found: dict[str, Any] = {}
    for index, question in enumerate(track.questions(task, seed_of("question", track.name, task_id, seed))):
        found[str(index)] = question
        twin = track.twin_question(question, task)
        if twin is not None:
            found[f"{index}{TWIN}"] = twin
    return found


def is_twin(question: str) -> bool:
    """Whether a question is about a task's twin.

    >>> is_twin("0"), is_twin("0.twin")
    (False, True)
    """
    return question.endswith(TWIN)


def index_of(question: str) -> int:
    """The number of a question among those of its task; that of a question about the twin is its original's.

    >>> index_of("12"), index_of("12.twin")
    (12, 12)
    """
    return int(question.removesuffix(TWIN))


def question_hash(key: CellKey, question: str) -> str:
    """SHA-256 of what a question is: its track and the track's version, its task and the task's content, seed, name."""
    told = (key.track, key.track_version, key.task, key.content_hash, key.seed, question)
    digest = hashlib.sha256()
    for part in map(str, told):
        digest.update(f"{len(part.encode())}:{part}".encode())
    return digest.hexdigest()


def answering_seed(key: CellKey, question: str) -> int:
    """The seed of a scorer's randomness: it depends on the scorer and the question, not on what was asked before."""
    identity = ("twin", index_of(question)) if is_twin(question) else (index_of(question),)
    return seed_of("scorer", key.scorer, key.scorer_version, key.track, key.task, key.seed, *identity)
