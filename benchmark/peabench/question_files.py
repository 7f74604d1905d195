"""Questions as files: all that a scorer is handed, without the truth that it was made from. Never code, never pickle.

A task's folder `questions` holds two files for each track. `TRACK.json` lists the questions by name, field by field;
a tensor stands there as `{"tensor": NAME}` and its numbers in `TRACK.safetensors`; a network by which one it is,
`model` or the provenance of a twin, or, where a question holds several, as its config and its weights. A question's
generator is left out: the harness sets it. `docs/sealed.md` shows an example.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import torch
from jaxtyping import AbstractArray, Float, jaxtyped
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from peabench.catalogue import QUESTIONS
from peabench.documents import first_complaint
from peabench.errors import PeabenchError
from peabench.mechanism.files import read_file, write_files
from peabench.networks import Network, NetworkConfig
from peabench.questions import QUESTION_NAME, TWIN, index_of, is_twin
from peabench.tasks import network_of

if TYPE_CHECKING:
    from peabench.tasks import Task
    from peabench.tracks import Track

LARGEST_DOCUMENT = 16 * 2**20
LARGEST_TENSORS = 2**30
OWN = "model"
TWIN_PROVENANCE = "random_init"

QuestionName = Annotated[str, StringConstraints(pattern=f"^(?:{QUESTION_NAME.pattern})$")]


class QuestionDocument(BaseModel):
    """What `TRACK.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_version: Literal[1] = 1
    track: str
    track_version: int
    seed: int
    """Of the questions: `peabench run --seed`."""
    questions: dict[QuestionName, dict[str, Any]]
    """The fields of each question, by its name: `0`, `1`, ..., and `0.twin` for the same about the twin."""


def write_questions(folder: Path, track: "Track[Any, Any]", seed: int, questions: Mapping[str, Any]) -> None:
    """Write the questions of one track into a task folder: the files of `encode_questions`."""
    write_files(folder / QUESTIONS, encode_questions(track, seed, questions))


def encode_questions(track: "Track[Any, Any]", seed: int, questions: Mapping[str, Any]) -> dict[str, bytes]:
    """The two files of a track by name. The same questions give the same bytes.

    Args:
        track: whose questions they are.
        seed: that they were made with.
        questions: by name, those about the twin included.
    """
    tensors: dict[str, Tensor] = {}
    document = QuestionDocument(
        track=track.name,
        track_version=track.version,
        seed=seed,
        questions={
            name: _described(question, name, TWIN_PROVENANCE if is_twin(name) else OWN, tensors)
            for name, question in questions.items()
        },
    )
    copies = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    text = json.dumps(document.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return {f"{track.name}.safetensors": save(copies), f"{track.name}.json": text.encode() + b"\n"}


def read_questions(task: "Task", track: "Track[Any, Any]", seed: int) -> dict[str, Any]:
    """The questions of a track from the files of a task, by name and in order.

    Raises:
        PeabenchError: there are none, none of this seed or of this version of the track, or the files are damaged.
    """
    return _Reader(task, track).questions(seed)


def list_questions(task: "Task", track: "Track[Any, Any]") -> list[str]:
    """Names of the questions that a track's file has, twins left out.

    Raises:
        PeabenchError: the file is missing or damaged.
    """
    return [name for name in _Reader(task, track).document().questions if not is_twin(name)]


def holds_network(track: "Track[Any, Any]") -> bool:
    """Whether the questions of a track hand out the network, or activations alone."""
    return _has_network(track.question_type)


def _has_network(kind: Any) -> bool:
    if is_dataclass(kind):
        return any(map(_has_network, get_type_hints(kind).values()))
    return any(map(_has_network, get_args(kind))) or (isclass(kind) and issubclass(kind, Network))


def _described(value: Any, place: str, network: str, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON; its tensors are put aside under their places, each of them once."""
    if isinstance(value, Tensor):
        kept = next((name for name, other in tensors.items() if other is value), place)
        tensors[kept] = value
        return {"tensor": kept}
    if isinstance(value, Network):
        return network
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple) and value and isinstance(value[0], Network):
        return [_whole(each, f"{place}.{i}", tensors) for i, each in enumerate(value)]
    if isinstance(value, tuple):
        return [_described(each, f"{place}.{i}", network, tensors) for i, each in enumerate(value)]
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return {
            name: _described(part, f"{place}.{name}", network, tensors)
            for name, part in parts.items()
            if not isinstance(part, torch.Generator)
        }
    return value


def _whole(network: Network, place: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """A network with all that it is made of: one of several, which nothing may tell apart but themselves."""
    weights = {name: f"{place}.{name}" for name in network.state_dict()}
    tensors |= {weights[name]: value for name, value in network.state_dict().items()}
    config = network.config.model_dump(mode="json", exclude_none=True)
    return {"config": config, "weights": {name: {"tensor": kept} for name, kept in weights.items()}}


class _Reader:
    """The two files of a track, checked against the types that its question declares."""

    def __init__(self, task: "Task", track: "Track[Any, Any]") -> None:
        self.task, self.track = task, track
        self.folder = task.folder / QUESTIONS
        self.networks: dict[str, Network] = {}
        self.used: set[str] = set()

    def questions(self, seed: int) -> dict[str, Any]:
        document = self.document()
        if document.track_version != self.track.version:
            raise PeabenchError(
                f"The questions of {self.task.record.id} are of version {document.track_version} of the track "
                f"{self.track.name}, and this Peabench asks version {self.track.version}; install the one that the "
                "suite was sealed with."
            )
        if document.seed != seed:
            raise PeabenchError(
                f"The questions of {self.task.record.id} were published for seed {document.seed}, not for {seed}; "
                f"run with --seed {document.seed}."
            )
        self.tensors = self._tensors()
        found = {
            name: self._dataclass(self.track.question_type, document.questions[name], name)
            for name in sorted(document.questions, key=_order)
        }
        unused = sorted(set(self.tensors) - self.used)
        if unused:
            raise self._malformed("safetensors", f"expected only tensors that a question names, got {unused[0]!r}")
        return found

    def document(self) -> QuestionDocument:
        data = read_file(self.folder, f"{self.track.name}.json", LARGEST_DOCUMENT)
        try:
            document = QuestionDocument.model_validate_json(data)
        except ValidationError as error:
            raise self._malformed("json", first_complaint(error)) from None
        if document.track != self.track.name:
            raise self._malformed("json", f"track: expected {self.track.name!r}, got {document.track!r}")
        own = [name for name in document.questions if not is_twin(name)]
        twins = [name.removesuffix(TWIN) for name in document.questions if is_twin(name)]
        if not own or set(own) != {str(i) for i in range(len(own))} or not set(twins) <= set(own):
            raise self._malformed(
                "json", f"questions: expected '0', '1', ... and twins, got {sorted(document.questions)}"
            )
        return document

    def _tensors(self) -> dict[str, Tensor]:
        data = read_file(self.folder, f"{self.track.name}.safetensors", LARGEST_TENSORS)
        try:
            return load(data)
        except SafetensorError as error:
            raise self._malformed("safetensors", f"expected a safetensors file, got {error}") from None

    def _dataclass(self, kind: Any, value: Any, place: str) -> Any:
        """A question, or a part of one: exactly the declared fields, their tensors' axes of one length by name."""
        hints = {field.name: get_type_hints(kind)[field.name] for field in fields(kind)}
        expected = {name for name, hint in hints.items() if hint is not torch.Generator}
        if not isinstance(value, dict) or set(value) != expected:
            came = sorted(value) if isinstance(value, dict) else value
            raise self._malformed("json", f"{place}: expected the fields {sorted(expected)}, got {came!r:.200}")
        with jaxtyped("context"):
            return kind(**{name: self._value(hint, value.get(name), f"{place}.{name}") for name, hint in hints.items()})

    def _value(self, kind: Any, value: Any, place: str) -> Any:
        if kind is torch.Generator:
            return torch.Generator()
        if is_dataclass(kind):
            return self._dataclass(kind, value, place)
        if isclass(kind) and issubclass(kind, Network):
            return self._network(value, place)
        if isclass(kind) and issubclass(kind, AbstractArray):
            return self._tensor(kind, value, place)
        if kind == tuple[Network, ...]:
            return self._networks(value, place)
        try:
            return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            raise self._malformed("json", f"{place}: {first_complaint(error)}") from None

    def _network(self, value: Any, place: str) -> Network:
        if value not in (OWN, TWIN_PROVENANCE):
            raise self._malformed("json", f"{place}: expected {OWN!r} or {TWIN_PROVENANCE!r}, got {value!r:.80}")
        if value not in self.networks:
            network = self.task.network() if value == OWN else self.task.twin(TWIN_PROVENANCE)
            if network is None:
                raise self._malformed("json", f"{place}: expected a twin that the task has, got {value!r}")
            self.networks[value] = network
        return self.networks[value]

    def _networks(self, value: Any, place: str) -> tuple[Network, ...]:
        if not isinstance(value, list):
            raise self._malformed("json", f"{place}: expected a list of networks, got {value!r:.80}")
        found = []
        for i, each in enumerate(value):
            here = f"{place}.{i}"
            if (
                not isinstance(each, dict)
                or set(each) != {"config", "weights"}
                or not isinstance(each["weights"], dict)
            ):
                raise self._malformed("json", f"{here}: expected a config and weights, got {each!r:.80}")
            config = self._value(NetworkConfig, each["config"], f"{here}.config")
            state = {
                name: self._tensor(Float[Tensor, "..."], kept, f"{here}.weights.{name}")
                for name, kept in each["weights"].items()
            }
            try:
                found.append(network_of(config, state))
            except ValueError as error:
                raise self._malformed("safetensors", f"{here}: {error}") from None
        return tuple(found)

    def _tensor(self, kind: Any, value: Any, place: str) -> Tensor:
        name = value.get("tensor") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(name, str) or name not in self.tensors:
            raise self._malformed("json", f"{place}: expected {{'tensor': a name of the file}}, got {value!r:.80}")
        tensor = self.tensors[name]
        self.used.add(name)
        # Any byte may stand in the file; a torch boolean other than 0 and 1 is undefined behaviour.
        if tensor.dtype == torch.bool and bool((tensor.view(torch.uint8) > 1).any()):
            raise self._malformed("safetensors", f"{name}: expected booleans, got other bytes")
        fits: bool = isinstance(tensor, kind)
        if not fits:
            came = f"{tensor.dtype} {list(tensor.shape)}"
            raise self._malformed("safetensors", f"{name}: expected {kind.__name__} as {place} is, got {came}")
        if not bool(tensor.isfinite().all()):
            raise self._malformed("safetensors", f"{name}: expected finite numbers, got NaN or infinity")
        return tensor

    def _malformed(self, ending: str, complaint: str) -> PeabenchError:
        file = self.folder / f"{self.track.name}.{ending}"
        return PeabenchError(f"The questions {file} are malformed: {complaint}; fetch the file again.")


def _order(name: str) -> tuple[int, bool]:
    return index_of(name), is_twin(name)
