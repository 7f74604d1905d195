"""The mechanism: everything that is known to be true of a network, as data that loads and saves itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic_core
from jaxtyping import Shaped
from pydantic import Field, PrivateAttr, ValidationError, model_validator
from torch import Tensor

from peabench.mechanism.addresses import NodeAddress
from peabench.mechanism.alignments import Alignment, check_orthonormal
from peabench.mechanism.attention import Attends
from peabench.mechanism.beliefs import Beliefs
from peabench.mechanism.causal_model import CausalModel
from peabench.mechanism.circuits import Circuit
from peabench.mechanism.defects import Backdoor, Defect, ProxyGoal, formulas
from peabench.mechanism.dormant_paths import DormantPath
from peabench.mechanism.errors import MechanismError, explain, in_file, quote
from peabench.mechanism.expressions import Constant, Expression
from peabench.mechanism.features import Feature, check_direction, check_hierarchy
from peabench.mechanism.files import read_file, write_files
from peabench.mechanism.gauge import Gauge
from peabench.mechanism.hypotheses import AlgorithmClaim
from peabench.mechanism.inference import infer
from peabench.mechanism.interactions import Interactions
from peabench.mechanism.kinds import Boolean, Category, Kind, Real, cardinality, describe, fits
from peabench.mechanism.records import Record
from peabench.mechanism.steering import Steering
from peabench.mechanism.tensors import (
    LARGEST_FILE,
    TENSORS_FILE,
    TensorReference,
    Tensors,
    check_tensors,
    read_tensors,
    write_tensors,
)

SCHEMA_VERSION = 1
MECHANISM_FILE = "mechanism.json"
LARGEST_DOCUMENT = 16 * 2**20
"""Bytes of the largest `mechanism.json` that is read."""

Provenance = Literal["constructed", "planted", "derived"]
"""Weights written down; trained under interchange constraints; trained freely, then explained and verified."""


class Mechanism(Record):
    """What is true of a network. Its tensors are attached by `with_tensors` or by `load`."""

    schema_version: Literal[1] = 1
    provenance: Provenance
    causal_model: CausalModel
    alignments: tuple[Alignment, ...] = ()
    circuit: Circuit | None = None
    attention: tuple[Attends, ...] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """Largest share of interventions that may contradict a mechanism that was derived, or of features or beliefs; None:
    not one may."""
    features: tuple[Feature, ...] = ()
    interactions: Interactions | None = None
    beliefs: Beliefs | None = None
    dormant_path: DormantPath | None = None
    algorithm: AlgorithmClaim | None = None
    defects: tuple[Defect, ...] = ()
    steering: tuple[Steering, ...] | None = None
    gauge: Gauge = Gauge()

    _tensors: Tensors = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_alignments()
        self._check_circuit()
        self._check_attention()
        self._check_beliefs()
        self._check_steering()
        if self.dormant_path is not None and self.dormant_path.variable not in self.causal_model.kinds:
            raise MechanismError(
                f"expected a variable of the causal model, got {self.dormant_path.variable!r}; name one",
                "dormant_path.variable",
            )
        if self.tolerance is not None and self.provenance != "derived" and not (self.features or self.beliefs):
            raise MechanismError(
                "expected a tolerance of derived mechanisms, of features and of beliefs only, got one of a "
                f"{self.provenance} mechanism; remove it",
                "tolerance",
            )
        try:
            check_hierarchy(self.features)
        except MechanismError as error:
            raise MechanismError(error.message, f"features.{error.field}") from None
        for i, feature in enumerate(self.features):
            kind = self._kind(feature.activation, f"features.{i}.activation")
            if isinstance(kind, Category) or (isinstance(kind, Real) and kind.dimension is not None):
                raise MechanismError(
                    f"expected a boolean or a number, got {describe(kind)}; say when and how strongly it fires",
                    f"features.{i}.activation",
                )
        if self.interactions is not None and self.interactions.site not in {f.site for f in self.features}:
            raise MechanismError(
                f"expected a site with features, got {self.interactions.site!r}; name theirs", "interactions.site"
            )
        for i, hypothesis in enumerate(self.algorithm.hypotheses if self.algorithm else ()):
            if hypothesis.formula is not None:
                self._kind(hypothesis.formula, f"algorithm.hypotheses.{i}.formula")
            if hypothesis.causal_model is not None:
                self._check_same_behaviour(hypothesis.causal_model, f"algorithm.hypotheses.{i}.causal_model")
        for i, defect in enumerate(self.defects):
            for name, formula in formulas(defect).items():
                kind = self._kind(formula, f"defects.{i}.{name}")
                if isinstance(defect, Backdoor) and name == "trigger" and not isinstance(kind, Boolean):
                    raise MechanismError(
                        f"expected a boolean, got {describe(kind)}; say when the trigger is present",
                        f"defects.{i}.trigger",
                    )
                if isinstance(defect, ProxyGoal) and kind != self.causal_model.kinds.get(defect.goal):
                    raise MechanismError(
                        f"expected a variable with the values of the proxy ({describe(kind)}), got {defect.goal!r}; "
                        "name the one that holds what the network pursues",
                        f"defects.{i}.goal",
                    )
        return self

    @classmethod
    def load(cls, folder: Path, largest_tensors: int = LARGEST_FILE) -> Self:
        """The mechanism of a task folder, from `mechanism.json` and `mechanism.safetensors`.

        Args:
            folder: the task folder.
            largest_tensors: bytes of the largest tensors file that is read.

        Raises:
            MechanismError: one line that names the file and the field, for whatever is wrong with either file.
        """
        path = folder / MECHANISM_FILE
        data = read_file(folder, MECHANISM_FILE, LARGEST_DOCUMENT)
        try:
            document: Any = pydantic_core.from_json(data, allow_inf_nan=False)
        except ValueError as error:
            raise in_file(path, "", f"expected valid JSON, got '{error}'; correct the file") from None
        version = document.get("schema_version") if isinstance(document, dict) else SCHEMA_VERSION
        if version is not None and not (type(version) is int and version == SCHEMA_VERSION):
            raise in_file(
                path, "schema_version", f"expected {SCHEMA_VERSION}, got {quote(version)}; use a matching Peabench"
            )
        try:
            mechanism = cls.model_validate_json(data, strict=True)
        except ValidationError as error:
            raise explain(path, error, document) from None
        if version is None:
            raise in_file(path, "schema_version", f"expected {SCHEMA_VERSION}, got none; add the field")
        tensors = read_tensors(folder, list(mechanism.places()), largest_tensors)
        try:
            return mechanism.with_tensors(tensors)
        except MechanismError as error:
            raise in_file(folder / TENSORS_FILE, error.field, error.message) from None

    def save(self, folder: Path) -> None:
        """Write both files into `folder`, neither of them ever half-written; equal mechanisms give equal bytes.

        Raises:
            MechanismError: the tensors are not attached; nothing is written.
        """
        check_tensors(self._tensors, list(self.places()))
        document = self.model_dump_json(exclude_none=True).encode() + b"\n"
        write_files(folder, {TENSORS_FILE: write_tensors(self._tensors), MECHANISM_FILE: document})

    def with_tensors(self, tensors: Mapping[str, Shaped[Tensor, "..."]]) -> Self:
        """A copy of this mechanism with the tensors that it refers to.

        Raises:
            MechanismError: missing or unused tensors, a wrong shape or type, NaN, a basis that is not orthonormal.
        """
        check_tensors(tensors, list(self.places()))
        for i, alignment in enumerate(self.alignments):
            for place, reference in alignment.places():
                check_orthonormal(tensors[reference.name], f"alignments.{i}.{place}")
        for i, feature in enumerate(self.features):
            check_direction(tensors[feature.direction.name], f"features.{i}.direction")
        for place, reference in self.dormant_path.places() if self.dormant_path else ():
            check_orthonormal(tensors[reference.name], f"dormant_path.{place}")
        copy = self.model_copy()
        copy._tensors = dict(tensors)
        return copy

    def tensor(self, reference: TensorReference) -> Shaped[Tensor, "..."]:
        """The tensor that a reference of this mechanism names. Do not write to it."""
        if reference.name not in self._tensors:
            raise MechanismError(
                f"expected the tensor {reference.name!r} to be attached, got none; use load or with_tensors"
            )
        return self._tensors[reference.name]

    def alignment(self, variable: str) -> Alignment:
        """The alignment of a variable; a MechanismError if it has none."""
        for alignment in self.alignments:
            if alignment.variable == variable:
                return alignment
        raise MechanismError(f"expected an aligned variable, got {variable!r}; see the alignments of the mechanism")

    def places(self) -> Iterator[tuple[str, TensorReference]]:
        """All tensor references, each with the path of its field."""
        for i, alignment in enumerate(self.alignments):
            for place, reference in alignment.places():
                yield f"alignments.{i}.{place}", reference
        for i, feature in enumerate(self.features):
            yield f"features.{i}.direction", feature.direction
        for place, reference in self.beliefs.places() if self.beliefs else ():
            yield f"beliefs.{place}", reference
        for place, reference in self.dormant_path.places() if self.dormant_path else ():
            yield f"dormant_path.{place}", reference

    def _kind(self, expression: Expression, field: str) -> Kind:
        try:
            return infer(expression, self.causal_model.kinds)
        except MechanismError as error:
            raise MechanismError(error.message, field) from None

    def _check_same_behaviour(self, other: CausalModel, field: str) -> None:
        """That a hypothesis is about the inputs and the output of the mechanism's causal model."""
        ours, theirs = (
            {name: (model.kinds[name], model.variable(name).columns) for name in (*model.inputs, model.output)}
            for model in (self.causal_model, other)
        )
        if ours != theirs or self.causal_model.output != other.output:
            raise MechanismError(
                f"expected the inputs and the output of the mechanism's causal model ({', '.join(ours)}), "
                f"got {', '.join(theirs)}; write the hypothesis over the same columns and output",
                field,
            )

    def _check_alignments(self) -> None:
        names = [alignment.variable for alignment in self.alignments]
        for i, name in enumerate(names):
            if name not in self.causal_model.kinds:
                raise MechanismError(
                    f"expected a variable of the causal model, got {name!r}; use one of "
                    f"{', '.join(self.causal_model.kinds)}",
                    f"alignments.{i}.variable",
                )
            if name in names[:i]:
                raise MechanismError(
                    f"expected one alignment per variable, got a second of {name!r}; list it as an alternative",
                    f"alignments.{i}.variable",
                )

    def _check_circuit(self) -> None:
        known = set(self.causal_model.edges) | {(name, name) for name in self.causal_model.kinds}
        for i, item in enumerate(self.circuit.edges if self.circuit else ()):
            for j, carried in enumerate(item.carries):
                if carried not in known:
                    raise MechanismError(
                        f"expected an edge (parent, child) of the causal model, got {list(carried)}; see its parents",
                        f"circuit.edges.{i}.carries.{j}",
                    )

    def _check_attention(self) -> None:
        for i, claim in enumerate(self.attention or ()):
            if NodeAddress.parse(claim.head).kind != "head":
                raise MechanismError(f"expected a head, got {claim.head!r}; name one", f"attention.{i}.head")
            kind = self._kind(claim.keys, f"attention.{i}.keys")
            if not isinstance(kind, Boolean) or kind.length is None:
                raise MechanismError(
                    f"expected one boolean per position, got {describe(kind)}; say for each key whether it is meant",
                    f"attention.{i}.keys",
                )

    def _check_beliefs(self) -> None:
        if self.beliefs is None or self.beliefs.variable is None:
            return
        kind = self.causal_model.kinds.get(self.beliefs.variable)
        values = None if kind is None or kind.length is not None else cardinality(kind)
        width = self.beliefs.readout.offset.shape[0]
        if values is None or width != (1 if isinstance(kind, Boolean) else values):
            came = "none" if kind is None else describe(kind)
            raise MechanismError(
                f"expected a variable of the causal model, a boolean of one number or one of {width} values, got "
                f"{came}; name one",
                "beliefs.variable",
            )

    def _check_steering(self) -> None:
        aligned = {alignment.variable for alignment in self.alignments}
        for i, claim in enumerate(self.steering or ()):
            for j, setting in enumerate(claim.settings):
                place = f"steering.{i}.settings.{j}"
                if setting.variable not in aligned:
                    raise MechanismError(
                        f"expected an aligned variable, got {setting.variable!r}; say where it is", f"{place}.variable"
                    )
                kind = self.causal_model.kinds[setting.variable]
                if not fits(infer(Constant(value=setting.value), {}), kind):
                    raise MechanismError(
                        f"expected a value of {setting.variable}, {describe(kind)}, got {setting.value}; correct it",
                        f"{place}.value",
                    )
            for name, formula in (("where", claim.where), ("outcome", claim.outcome)):
                kind = self._kind(formula, f"steering.{i}.{name}")
                if kind != Boolean():
                    raise MechanismError(
                        f"expected a boolean, got {describe(kind)}; say yes or no of an input", f"steering.{i}.{name}"
                    )


def json_schema() -> str:
    """The JSON Schema of `mechanism.json`, as the text of the published file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Mechanism.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
