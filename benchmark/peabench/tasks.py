"""A task: a trained network, its domain, its mechanism and its certificate, loaded from a folder of plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from peabench.catalogue import COMPANIONS, RECORD, is_sealed
from peabench.certification.checks import Check
from peabench.columns import check_formula
from peabench.documents import read_document, read_json
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Expression, Mechanism
from peabench.mechanism.files import read_file
from peabench.mechanism.mechanism import MECHANISM_FILE
from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, build_network
from peabench.truth import check_truth

CERTIFICATE_FILE = "certificate.json"
WEIGHTS_FILE = "model.safetensors"
LARGEST_CHECKPOINT_BYTES = 1 << 30
MOST_EXAMPLES = 1 << 20


class Twin(BaseModel):
    """A control network of the same shape beside the task's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    provenance: Literal["free", "random_init", "halfway"]
    """`free`: trained on the same behaviour, no mechanism claimed; `random_init`: never trained; `halfway`: the task's
    own network after half of its training."""
    file: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.safetensors$")] | None = None
    """Its weights, beside the task's; a `random_init` twin is drawn anew from `seed` instead."""
    seed: int | None = None


class TaskRecord(BaseModel):
    """What `task.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+/[a-z0-9_]+-[a-z0-9]+-[0-9]+$")]
    family: str
    variant: str
    size: str
    seed: int
    provenance: Literal["constructed", "planted", "derived"]
    tracks: tuple[str, ...]
    network: NetworkConfig
    domain: ProductDomain
    domain_size: int
    examples: Annotated[int, Field(ge=2, le=MOST_EXAMPLES)]
    """How many examples (base-source pairs) a scorer receives."""
    focus: tuple[str, ...] = ()
    """Variables that make the task hard; they are always asked about."""
    difficulty: str = ""
    """Why the task is hard, in words; empty where it is not."""
    description: str = ""
    twins: tuple[Twin, ...] = ()
    companions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], ...] = ()
    """Names of networks beside the task's own that are asked about together with it: folders `companions/NAME`, tasks
    themselves, over the same domain and with outputs of the same width. A name says nothing of what is in it."""
    training: Expression | None = None
    """Where the inputs lie that networks were trained on, over the columns `x0`, `x1`, ...: there the task's own does
    what its companions do. None: everywhere."""
    cues: tuple[Expression, ...] = ()
    """What may go together with departures from the rule that the networks were trained for, over the same columns."""
    salt: str = ""
    """Of a sealed task's private record: makes the pairs that answers are graded on depend on what is not published."""

    @model_serializer(mode="wrap")
    def _without_what_is_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialise(self)
        for later in ("companions", "training", "cues", "salt"):
            if not getattr(self, later):
                fields.pop(later, None)  # what is drawn from a record's text stays what it was before it had the field
        return fields

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        named = f"{self.family}/{self.variant}-{self.size}-{self.seed}"
        if self.id != named:
            raise ValueError(f"id: expected {named!r} after family, variant, size and seed, got {self.id!r}")
        if self.domain_size != self.domain.size:
            raise ValueError(f"domain_size: expected {self.domain.size} after domain, got {self.domain_size}")
        network = self.network
        values = (
            network.values if isinstance(network, ResidualMLPConfig) else (network.d_vocabulary,) * network.n_positions
        )
        if len(self.domain.sizes) != len(values) or any(
            size > most for size, most in zip(self.domain.sizes, values, strict=True)
        ):
            read = f"at most {values[0]}" if len(set(values)) == 1 else f"at most {list(values)}"
            raise ValueError(
                f"domain.sizes: expected {len(values)} columns of {read} values, as the network reads, "
                f"got {list(self.domain.sizes)}"
            )
        for field in ("tracks", "focus", "companions"):
            if len(set(getattr(self, field))) < len(getattr(self, field)):
                raise ValueError(f"{field}: expected each name once, got {list(getattr(self, field))}")
        for formula in (*(() if self.training is None else (self.training,)), *self.cues):
            check_formula(formula, self.domain)
        return self


@dataclass(frozen=True)
class Task:
    """A task in a folder; its parts are read when they are asked for."""

    folder: Path
    record: TaskRecord

    def network(self) -> Network:
        """A fresh copy of the trained network, in evaluation mode, its parameters not requiring gradients.

        Raises:
            PeabenchError: its file is missing or damaged, or withheld from a sealed task.
        """
        if is_sealed(self.folder) and not (self.folder / WEIGHTS_FILE).exists():
            raise PeabenchError(
                f"The network of {self.record.id} is withheld with its truth, for its questions hold activations "
                "alone; answer them (`peabench run`, `peabench submit`)."
            )
        return self._weights(WEIGHTS_FILE)

    def twin(self, provenance: str) -> Network | None:
        """A fresh copy of the first twin of a provenance, or None where the task has none."""
        for twin in self.record.twins:
            if twin.provenance == provenance:
                if twin.file is not None:
                    return self._weights(twin.file)
                generator = torch.Generator().manual_seed(twin.seed or 0)
                return frozen(build_network(self.record.network, generator))
        return None

    @cached_property
    def companions(self) -> tuple["Task", ...]:
        """The networks beside the task's own, in the order of the record.

        Raises:
            PeabenchError: one is missing, or is over another domain, or has an output of another width.
        """
        found = tuple(load_task(companion_folder(self.folder, name)) for name in self.record.companions)
        for companion in found:
            for field, came, expected in (
                ("domain", companion.record.domain.sizes, self.record.domain.sizes),
                ("network.d_output", companion.record.network.d_output, self.record.network.d_output),
                ("companions", companion.record.companions, ()),
            ):
                if came != expected:
                    raise PeabenchError(
                        f"The task {companion.folder / RECORD} is no companion of {self.record.id}: {field}: expected "
                        f"{expected}, got {came}; restore it."
                    )
        return found

    @property
    def has_truth(self) -> bool:
        """Whether the mechanism is here; it is withheld from the tasks of a sealed suite."""
        return (self.folder / MECHANISM_FILE).exists()

    @cached_property
    def mechanism(self) -> Mechanism:
        """The truth. A `MechanismError` if its files are damaged, or speak of what the network does not have.

        Raises:
            PeabenchError: it is sealed.
        """
        self._refuse_if_sealed()
        mechanism = Mechanism.load(self.folder)
        check_truth(mechanism, self.record.network, self.folder)
        unknown = [name for name in self.record.focus if name not in mechanism.causal_model.kinds]
        if unknown:
            raise PeabenchError(
                f"The task {self.folder / RECORD} is malformed: focus: expected variables of the causal model, "
                f"got {unknown[0]!r}; restore it."
            )
        return mechanism

    @property
    def certificate(self) -> tuple[Check, ...]:
        """The stored checks.

        Raises:
            PeabenchError: there are none, they do not fit the schema, or they are sealed.
        """
        self._refuse_if_sealed()
        return read_document(self.folder / CERTIFICATE_FILE, tuple[Check, ...], "certificate")

    def _refuse_if_sealed(self) -> None:
        if is_sealed(self.folder):
            raise PeabenchError(
                f"The truth of {self.record.id} is sealed until its maintainer reveals it: the task can be answered "
                "(`peabench run`, `peabench submit`), but neither graded nor certified without it."
            )

    def _weights(self, file: str) -> Network:
        path = self.folder / file
        content = read_file(self.folder, file, LARGEST_CHECKPOINT_BYTES)
        try:
            return network_of(self.record.network, load(content))
        except SafetensorError as error:
            raise PeabenchError(f"{path}: expected a safetensors file of weights, got {error}; restore it.") from error
        except ValueError as error:
            raise PeabenchError(f"{path}: {error}; restore the file.") from None


def network_of(config: NetworkConfig, state: Mapping[str, Tensor]) -> Network:
    """The network of a config with stored weights, frozen.

    Raises:
        ValueError: they are not exactly its tensors, of their shapes, in float32 and finite.
    """
    network = build_network(config)
    expected = network.state_dict()
    for name, value in expected.items():
        if name not in state:
            raise ValueError(f"expected a tensor {name!r}, got none")
        if state[name].shape != value.shape or state[name].dtype != torch.float32:
            came = f"{state[name].dtype} {list(state[name].shape)}"
            raise ValueError(f"expected {name!r} to be float32 {list(value.shape)}, got {came}")
        if not bool(state[name].isfinite().all()):
            raise ValueError(f"expected finite numbers in {name!r}, got NaN or infinity")
    for name in state:
        if name not in expected:
            raise ValueError(f"expected only this network's tensors, got {name!r}")
    network.load_state_dict(dict(state))
    return frozen(network)


def companion_folder(folder: Path, name: str) -> Path:
    """Where a task keeps a companion."""
    return folder / COMPANIONS / name


def frozen(network: Network) -> Network:
    """The network in evaluation mode, its parameters not requiring gradients."""
    return network.eval().requires_grad_(False)


def load_task(folder: Path) -> Task:
    """Read a task's record.

    Raises:
        PeabenchError: `task.json` is missing, is no JSON or does not fit the schema; the message names file and field.
    """
    path = folder / RECORD
    data = read_json(path, "task")
    if isinstance(data, dict) and data.get("schema_version") != 1:
        raise PeabenchError(
            f"The task {path} is of another version: schema_version: expected 1, got "
            f"{data.get('schema_version')!r:.80}; update peabench or the task."
        )
    return Task(folder, read_document(path, TaskRecord, "task"))


def save_task(
    folder: Path, record: TaskRecord, network: Network, mechanism: Mechanism, twins: dict[str, Network]
) -> None:
    """Write a task's record, weights, mechanism and stored twins (by file name); the certificate is written apart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(record.model_dump_json(indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / WEIGHTS_FILE)
    for file, twin in twins.items():
        save_file({k: v.contiguous() for k, v in twin.state_dict().items()}, folder / file)
    mechanism.save(folder)


def save_certificate(folder: Path, checks: Sequence[Check]) -> None:
    """Write a task's certificate into its folder."""
    (folder / CERTIFICATE_FILE).write_bytes(TypeAdapter(list[Check]).dump_json(list(checks), indent=1) + b"\n")
