"""A laboratory small enough to see through: one family, one track, a few scorers, standing in for the real ones."""

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from peabench.certification.checks import Check
from peabench.cost import Meter
from peabench.errors import InvalidAnswer
from peabench.mechanism import Mechanism
from peabench.registry import Family
from peabench.scorers import Scorer

CHECKPOINTS = Path(os.environ.get("TOY_CHECKPOINTS", "/nonexistent"))


def train(out: Path, only: str | None, seed: int, progress: Any, resume: bool = False) -> None:
    progress("toy/a", 0.5)
    write_task(out / "a", truth=[float(seed), 0.0, 0.0])
    progress("toy/a", 1.0)


FAMILY = Family("toy", "Three numbers to guess.", CHECKPOINTS, "toy_laboratory:train")


def write_task(folder: Path, truth: list[float], **changes: Any) -> None:
    folder.mkdir(parents=True)
    variant, _, seed = folder.name.partition("-")
    record = {
        "schema_version": 1,
        "id": f"toy/{folder.name}",
        "family": "toy",
        "variant": variant,
        "size": "xs",
        "seed": int(seed or 0),
        "provenance": "constructed",
        "tracks": ["guess"],
        "domain_size": 8,
        "difficulty": "",
        "description": "Three numbers.",
        "truth": truth,
    }
    (folder / "task.json").write_text(json.dumps(record | changes))
    (folder / "README.md").write_text("# A toy\n")


class ToyNetwork(nn.Module):
    def __init__(self, truth: list[float]) -> None:
        super().__init__()
        self.meter = Meter()
        self.weight = nn.Parameter(torch.tensor(truth))

    def forward(self, inputs: Tensor) -> Tensor:
        self.meter.count_forward(len(inputs))
        return inputs @ self.weight


class ToyRecord(dict[str, Any]):
    companions = ()


@dataclass(frozen=True)
class ToyTask:
    folder: Path
    record: ToyRecord
    has_truth = True
    companions = ()

    def network(self) -> ToyNetwork:
        return ToyNetwork(self.record["truth"])

    @property
    def mechanism(self) -> Mechanism:
        return Mechanism.load(self.folder)

    @property
    def certificate(self) -> tuple[Check, ...]:
        checks = json.loads((self.folder / "certificate.json").read_text())
        return tuple(Check.model_validate(check) for check in checks)


@dataclass(frozen=True)
class Question:
    network: ToyNetwork
    shift: float
    generator: torch.Generator | None = None


def load_task(folder: Path) -> ToyTask:
    return ToyTask(folder, ToyRecord(json.loads((folder / "task.json").read_text())))


class Reference(ABC):
    name: ClassVar[str]
    track: ClassVar[str] = "guess"
    role: ClassVar[str]
    reference: ClassVar[str] = "toy"
    version: ClassVar[str] = "1"
    deterministic: ClassVar[bool] = True

    @abstractmethod
    def answer(self, question: Question, task: ToyTask, others: Sequence[ToyTask]) -> Tensor: ...


class Oracle(Reference):
    name = "oracle"
    role = "oracle"

    def answer(self, question: Question, task: ToyTask, others: Sequence[ToyTask]) -> Tensor:
        return torch.tensor(task.record["truth"]) + question.shift


class Mean(Reference):
    name = "mean"
    role = "null"

    def answer(self, question: Question, task: ToyTask, others: Sequence[ToyTask]) -> Tensor:
        return torch.stack([torch.tensor(other.record["truth"]) for other in others]).mean(0)


class GuessTrack:
    name = "guess"
    version = 3
    headline = "closeness"
    with_twins = False
    collects_answers = True
    references: tuple[Reference, ...] = (Oracle(), Mean())
    nulls = ("guesswork",)

    @staticmethod
    def answer_type(answer: Tensor) -> Tensor:
        return answer

    def questions(self, task: ToyTask, generator_seed: int) -> list[Question]:
        shifts = torch.rand(2, generator=torch.Generator().manual_seed(generator_seed)).tolist()
        network = task.network()
        return [Question(network, shift) for shift in shifts]

    def grade(self, task: ToyTask, index: int, question: Question, answer: Tensor) -> dict[str, float]:
        if not isinstance(answer, Tensor) or answer.shape != (3,):
            raise InvalidAnswer("Expected three numbers; answer a tensor of shape [3].")
        if not torch.isfinite(answer).all():
            raise InvalidAnswer("Expected finite numbers, got NaN or infinity; answer finite numbers only.")
        error = (answer - torch.tensor(task.record["truth"]) - question.shift).abs().mean()
        return {"score": 1 - float(error), "largest": float(answer.max())}

    def twin_question(self, question: Question, task: ToyTask) -> Question | None:
        return replace(question, network=ToyNetwork([0.0, 0.0, 0.0])) if self.with_twins else None


tracks = SimpleNamespace(names=lambda: ["guess"], get=lambda name: {"guess": GuessTrack()}[name], Reference=Reference)
tasks = SimpleNamespace(load_task=load_task)


class Noise(Scorer[Question, Tensor]):
    """Random numbers, and two forward passes of four examples."""

    name = "noise"
    track = "guess"
    reference = "toy"

    def score(self, question: Question) -> Tensor:
        for _ in range(2):
            question.network(torch.ones(4, 3))
        return torch.rand(3, generator=question.generator)


class Honest(Scorer[Question, Tensor]):
    """Reads the network's weights."""

    name = "honest"
    track = "guess"
    reference = "toy"

    def score(self, question: Question) -> Tensor:
        return question.network.weight.detach() + question.shift


class MuteError(Exception):
    """One that cannot say what it is."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class Moody(Scorer[Question, Tensor]):
    """Does what its environment says on `toy/b-1`, and answers 0 elsewhere."""

    name = "moody"
    track = "guess"
    reference = "toy"

    def applicable(self, question: Question) -> str | None:
        reasons: dict[str, Any] = {"decline": "not today", "shrug": "", "nod": True}
        return reasons.get(self.mood(question))

    def score(self, question: Question) -> Tensor:
        answer = torch.zeros(3)
        match self.mood(question):
            case "crash":
                raise ZeroDivisionError("one\ntwo")
            case "nan":
                answer[0] = torch.nan
            case "shape":
                answer = torch.zeros(4)
            case "slow":
                time.sleep(60)
            case "memory":
                raise MemoryError
            case "exit":
                raise SystemExit(3)
            case "mangled":
                raise ValueError("\udcff")
            case "mute":
                raise MuteError
            case "vandal":
                with torch.no_grad():
                    question.network.weight.add_(1)
            case "chatty":
                print("a word")  # noqa: T201 - what a scorer should not do
        return answer

    @staticmethod
    def mood(question: Question) -> str:
        return os.environ.get("TOY_MOOD", "") if question.network.weight[0].item() == 1.0 else ""
