"""Answering: all that happens in the process of a scorer. It gets questions as data, and no task and no truth.

What it sends back is data too, JSON and safetensors: nothing of it is ever unpickled.
"""

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from peabench.answers import WHOLE, encode
from peabench.cost import Budget, measured
from peabench.discovery import ScorerEntry
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.isolation import CellTimeout, one_thread, quiet, seed_global_generators, time_limit
from peabench.plain import Answer, plain
from peabench.process_state import process_state_kept
from peabench.results import Cost, one_line, storable
from peabench.scorers import Scorer


@dataclass(frozen=True)
class Asked:
    """What the process of a scorer is told about a cell."""

    scorer: ScorerEntry
    device: str
    questions: dict[str, Any]
    """By name, without a generator."""
    seeds: dict[str, int]
    """Of the randomness for each question."""


class Report(BaseModel):
    """What came of asking a scorer, beside its answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["answered", "declined", "failed"]
    reason: str = ""
    traceback: str = ""
    costs: dict[str, Cost] = {}
    """By question."""


@dataclass(frozen=True)
class Answered:
    """What came of asking a scorer the questions of a cell."""

    report: Report
    answers: bytes = b""
    """From `peabench.answers.encode`, by question."""

    def to_bytes(self) -> bytes:
        """The report as one line of JSON, then the answers."""
        return self.report.model_dump_json().encode() + b"\n" + self.answers

    @classmethod
    def from_bytes(cls, content: bytes) -> "Answered":
        """What `to_bytes` gave.

        Raises:
            ValueError: it did not give that.
        """
        report, _, answers = content.partition(b"\n")
        return cls(Report.model_validate_json(report), answers)


class Declined(Exception):
    """The scorer gave a reason not to answer."""


def answered(asked: Asked, timeout: float | None = None) -> Answered:
    """Ask a scorer. Whatever it does short of killing the process becomes a report.

    What the time limit can do stands at `peabench.isolation.time_limit`; the rest is done by `peabench.supervision`.
    """

    def ask_all() -> Answered:
        scorer = asked.scorer.create()
        if not isinstance(scorer, Scorer):
            raise PeabenchError(f"{asked.scorer.name} is no scorer; a track's references are not asked here.")
        return ask_each(asked.questions, asked.seeds, asked.device, lambda question: _answer(scorer, question))

    return guarded(ask_all, timeout)


def guarded(ask: Callable[[], Answered], timeout: float | None) -> Answered:
    """What asking gives, in one thread and quietly; errors and time limits become reports."""
    try:
        with quiet(), one_thread(), process_state_kept(), time_limit(timeout):
            return ask()
    except Declined as declined:
        return Answered(Report(status="declined", reason=one_line(str(declined))))
    except (Exception, SystemExit, CellTimeout) as error:
        trace = storable(traceback.format_exc())
        return Answered(Report(status="failed", reason=one_line(reason_of(error)), traceback=trace))


def ask_each(
    questions: Mapping[str, Any], seeds: Mapping[str, int], device: str, answerer: Callable[[Any], object]
) -> Answered:
    """The answer to each question, and what it cost.

    Raises:
        InvalidAnswer: an answer is no data, or the network was changed.
    """
    answers: dict[str, Answer] = {}
    costs: dict[str, Cost] = {}
    for name, question in questions.items():
        answer, costs[name] = ask_one(question, seeds[name], device, answerer)
        answers[name] = plain(answer)
    return Answered(Report(status="answered", costs=costs), encode({WHOLE: answers}))


def ask_one(question: Any, seed: int, device: str, answerer: Callable[[Any], object]) -> tuple[object, Cost]:
    """The answer to one question, and what it cost.

    The answerer gets a copy of the question on its device, with a generator of this seed.

    Raises:
        InvalidAnswer: a network was changed.
        BudgetExceeded: the networks ran more than the question's `budget`, if it has one.
    """
    seed_global_generators(seed)
    asked = replace(moved(question, device), generator=torch.Generator(device).manual_seed(seed))
    networks = networks_of(asked)
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    with measured() as usage, within_budget(question, networks):
        answer = answerer(asked)
    cost = Cost(
        forward_passes=sum(network.meter.forward for network in networks),
        backward_passes=sum(network.meter.backward for network in networks),
        wall_seconds=usage.wall_seconds,
        peak_memory_bytes=usage.peak_memory_bytes,
    )
    for network, weights in zip(networks, before, strict=True):
        _refuse_changes(network, weights)
    return moved(answer, "cpu"), cost


@contextmanager
def within_budget(question: Any, networks: Sequence[Any]) -> Iterator[None]:
    """Meters of a question's networks from 0, and no more passes of all together than its `budget`, if it has one.

    Where a question is of `few_inputs` its networks run on these alone.

    Raises:
        BudgetExceeded: they ran more, whether or not the answerer minded.
        InvalidAnswer: their meters, or what these allow, were changed.
    """
    allowed = getattr(question, "budget", None)
    budget = None if allowed is None else Budget(allowed)
    inputs = question.inputs.clone() if getattr(question, "few_inputs", False) else None
    meters = [network.meter for network in networks]
    for meter in meters:
        meter.reset()
        meter.budget, meter.inputs = budget, inputs
    try:
        yield
        kept = all(
            n.meter is meter and meter.budget is budget and meter.inputs is inputs
            for n, meter in zip(networks, meters, strict=True)
        )
        if not kept or (budget is not None and budget.allowed != allowed):
            raise InvalidAnswer(
                "The scorer changed a network's meter; it must leave meters and budget as it found them."
            )
    finally:
        for meter in meters:
            meter.budget = meter.inputs = None
    if budget is not None:
        budget.check()


def networks_of(question: Any) -> list[Any]:
    """The networks that a question holds: one, several, or none where it is about activations alone."""
    network = getattr(question, "network", None)
    return list(getattr(question, "networks", ())) if network is None else [network]


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


def reason_of(error: BaseException) -> str:
    """What an error says."""
    try:
        message = str(error)
    except Exception:
        message = ""  # an error whose own text fails is known by its type
    if isinstance(error, PeabenchError | CellTimeout):
        return message or type(error).__name__
    return f"{type(error).__name__}: {message}".rstrip(": ")


def _answer(scorer: Scorer[Any, Any], question: Any) -> object:
    reason: object = scorer.applicable(question)
    if reason is None:
        return scorer.score(question)
    if not isinstance(reason, str):
        raise InvalidAnswer(f"Expected `applicable` to return a reason or None, got a {type(reason).__name__}.")
    raise Declined(reason)


def _refuse_changes(network: nn.Module, before: dict[str, Tensor]) -> None:
    after = network.state_dict()
    for name, value in before.items():
        if name not in after or not torch.equal(after[name], value):
            raise InvalidAnswer(f"The scorer changed the network's {name}; it must leave the network as it was found.")
