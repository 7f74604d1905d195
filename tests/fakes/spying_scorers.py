"""Scorers that look for the truth where they run, for the test that keeps it from them."""

import gc
import sys
from collections.abc import Iterator
from typing import Any

import torch

from peabench import Scorer
from peabench.mechanism import Mechanism
from peabench.results import CellKey
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK, CircuitAnswer


def within_reach() -> Iterator[Any]:
    """Whatever this process holds: all objects that are tracked, and the variables of every frame of every thread."""
    yield from gc.get_objects()
    for frame in sys._current_frames().values():
        at: Any = frame
        while at is not None:
            yield from at.f_locals.values()
            at = at.f_back


def mechanisms() -> list[Mechanism]:
    found = []
    for thing in within_reach():
        if isinstance(thing, Mechanism):
            found.append(thing)
        elif isinstance(thing, Task):
            found.append(thing.mechanism)
    return found


class Spying(Scorer[Any, CircuitAnswer]):
    """Answers with a circuit that it finds in memory, or else at random."""

    name = "spying"
    track = "circuits"
    reference = "a test"

    def score(self, question: Any) -> CircuitAnswer:
        for mechanism in mechanisms():
            if mechanism.circuit is not None and set(mechanism.circuit.required) <= set(question.edges):
                return CircuitAnswer(torch.tensor([float(e in mechanism.circuit.required) for e in question.edges]))
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))


class Patching(Scorer[Any, CircuitAnswer]):
    """Answers at random, and has its track give full marks."""

    name = "patching"
    track = "circuits"
    reference = "a test"

    def score(self, question: Any) -> CircuitAnswer:
        TRACK.grade = lambda *_: {"score": 1.0}  # type: ignore[method-assign]
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))


class Naming(Scorer[Any, CircuitAnswer]):
    """Gives every edge the same score where it finds out which cell it is in, and answers at random else."""

    name = "naming"
    track = "circuits"
    reference = "a test"

    def score(self, question: Any) -> CircuitAnswer:
        named = any(isinstance(thing, CellKey) for thing in within_reach())
        scores = torch.rand(len(question.edges), generator=question.generator)
        return CircuitAnswer(torch.ones_like(scores) if named else scores)
