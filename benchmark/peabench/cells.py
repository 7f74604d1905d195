"""Running one cell, scorer x task: seeded from its own identity, timed, isolated, graded."""

import copy
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from peabench.answers import WHOLE, encode, plain
from peabench.cost import measured
from peabench.discovery import ScorerEntry
from peabench.environment import environment
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.grading import questions_of
from peabench.isolation import CellTimeout, one_thread, quiet, seed_global_generators, time_limit
from peabench.process_state import process_state_kept
from peabench.results import SCORE, CellKey, CellResult, Cost, answer_hash, mean_metrics
from peabench.scorers import Scorer
from peabench.seeds import seed_of

if TYPE_CHECKING:
    from peabench.tasks import Task
    from peabench.tracks import Reference

REASON_LENGTH = 300


@dataclass(frozen=True)
class Cell:
    """One cell of a run, light enough to be sent to another process."""

    key: CellKey
    scorer: ScorerEntry
    suite: str
    folder: Path
    others: tuple[Path, ...]
    """Folders of the run's other tasks of the track, for its references."""
    problem: str = ""
    """Why the cell cannot be run at all."""
    provenance: str = ""
    """Of the task."""


@dataclass(frozen=True)
class Outcome:
    """What running a cell gives."""

    result: CellResult
    answers: bytes = b""
    """Content of the cell's answer file (`peabench.answers.encode`); empty where it has no answers."""

    def to_bytes(self) -> bytes:
        """The result as one line of JSON, then the answers: what leaves the process of a scorer is data, no pickle."""
        return self.result.model_dump_json().encode() + b"\n" + self.answers

    @classmethod
    def from_bytes(cls, content: bytes) -> "Outcome":
        """What `to_bytes` gave."""
        result, _, answers = content.partition(b"\n")
        return cls(CellResult.model_validate_json(result), answers)


class Declined(Exception):
    """The scorer gave a reason not to answer."""


class OtherTasks(Sequence["Task"]):
    """The other tasks of a run, each loaded when it is first looked at."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders

    def __len__(self) -> int:
        return len(self.folders)

    @overload
    def __getitem__(self, index: int) -> "Task": ...
    @overload
    def __getitem__(self, index: slice) -> "OtherTasks": ...
    def __getitem__(self, index: int | slice) -> "Task | OtherTasks":
        if isinstance(index, slice):
            return OtherTasks(self.folders[index])
        return _kept_task(self.folders[index])


def run_cell(cell: Cell, timeout: float | None = None) -> Outcome:
    """Run one cell. Whatever its scorer does short of killing the process becomes a recorded outcome.

    What the time limit can do stands at `peabench.isolation.time_limit`; the rest is done by `peabench.supervision`.
    """
    try:
        if cell.problem:
            raise PeabenchError(cell.problem)
        with quiet(), one_thread(), process_state_kept(), time_limit(timeout):
            return _answered(cell)
    except Declined as declined:
        return Outcome(outcome(cell, "declined", reason=str(declined)))
    except (Exception, SystemExit, CellTimeout) as error:
        trace = "" if cell.problem else traceback.format_exc()
        return Outcome(outcome(cell, "failed", reason=_reason(error), trace=trace))


def outcome(cell: Cell, status: Any, reason: str = "", trace: str = "", **measurements: Any) -> CellResult:
    """The result of a cell."""
    return CellResult(
        key=cell.key,
        role=cell.scorer.role,
        suite=cell.suite,
        provenance=cell.provenance,
        status=status,
        reason=one_line(reason) or ("" if status == "ok" else "It gave no reason."),
        traceback=_storable(trace),
        environment=environment(cell.key.device),
        **measurements,
    )


def one_line(text: str) -> str:
    """A text cut to one line of at most 300 characters."""
    line = " ".join(_storable(text).split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def _storable(text: str) -> str:
    """A text without what UTF-8 cannot hold, such as lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _answered(cell: Cell) -> Outcome:
    from peabench import tracks
    from peabench.tasks import load_task

    key = cell.key
    track = tracks.get(key.track)
    task = load_task(cell.folder)
    questions = questions_of(key, task)
    scorer = cell.scorer.create()
    graded, answers, spent = [], [], []
    for index, question in enumerate(questions):
        answer, cost = _ask(cell, scorer, task, question, index)
        metrics = dict(track.grade(task, index, question, answer))
        twin = track.twin_question(question, task)
        if twin is not None:
            on_twin, _ = _ask(cell, scorer, task, twin, "twin", index)
            metrics["selectivity"] = metrics[SCORE] - track.grade(task, index, twin, on_twin)[SCORE]
        graded.append(metrics)
        answers.append(plain(answer))
        spent.append(cost)
    result = outcome(
        cell,
        "ok",
        metrics=mean_metrics(graded),
        questions=graded,
        cost=Cost(
            forward_passes=sum(cost.forward_passes for cost in spent),
            backward_passes=sum(cost.backward_passes for cost in spent),
            wall_seconds=sum(cost.wall_seconds for cost in spent),
            peak_memory_bytes=max(cost.peak_memory_bytes for cost in spent),
        ),
        answer_hash=answer_hash(answers),
    )
    return Outcome(result, encode({WHOLE: answers}))


def _ask(
    cell: Cell, scorer: "Scorer[Any, Any] | Reference", task: "Task", question: Any, *identity: object
) -> tuple[Any, Cost]:
    """The answer to one question, and what it cost. It is seeded by its cell and its identity within it.

    The scorer gets a copy of the question: whatever it does to it, the answer is graded on the question itself.
    """
    key = cell.key
    seed = seed_of("scorer", key.scorer, key.scorer_version, key.track, key.task, key.seed, *identity)
    seed_global_generators(seed)
    generator = torch.Generator(key.device).manual_seed(seed)
    asked = replace(moved(question, key.device), generator=generator)
    before = {name: value.clone() for name, value in asked.network.state_dict().items()}
    meter = asked.network.meter
    meter.reset()
    with measured() as usage:
        if isinstance(scorer, Scorer):
            _refuse_if_declined(scorer.applicable(asked))
            answer = scorer.score(asked)
        else:
            answer = scorer.answer(asked, task, OtherTasks(cell.others))
    cost = Cost(
        forward_passes=meter.forward,
        backward_passes=meter.backward,
        wall_seconds=usage.wall_seconds,
        peak_memory_bytes=usage.peak_memory_bytes,
    )
    _refuse_changes(asked.network, before)
    return moved(answer, "cpu"), cost


def moved(value: Any, device: str) -> Any:
    """A copy of data with its tensors and networks on a device; nothing of it is shared with the original."""
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, nn.Module):
        return copy.deepcopy(value).to(device)
    if isinstance(value, BaseModel):
        return value.model_copy(deep=True)
    if is_dataclass(value) and not isinstance(value, type):
        initial = [field.name for field in fields(value) if field.init]
        return replace(value, **{name: moved(getattr(value, name), device) for name in initial})
    if isinstance(value, dict):
        return {name: moved(item, device) for name, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(moved(item, device) for item in value)
    return value


def _refuse_changes(network: nn.Module, before: dict[str, Tensor]) -> None:
    after = network.state_dict()
    for name, value in before.items():
        if name not in after or not torch.equal(after[name], value):
            raise InvalidAnswer(f"The scorer changed the network's {name}; it must leave the network as it was found.")


def _refuse_if_declined(reason: object) -> None:
    if reason is None:
        return
    if not isinstance(reason, str):
        raise InvalidAnswer(f"Expected `applicable` to return a reason or None, got a {type(reason).__name__}.")
    raise Declined(reason)


@cache
def _kept_task(folder: Path) -> "Task":
    from peabench.tasks import load_task

    return load_task(folder)


def _reason(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:
        message = ""  # an error whose own text fails is known by its type
    if isinstance(error, PeabenchError | CellTimeout):
        return message or type(error).__name__
    return f"{type(error).__name__}: {message}".rstrip(": ")
