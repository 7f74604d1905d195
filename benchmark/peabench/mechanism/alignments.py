"""Alignments: where in the network a variable of the causal model lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from peabench.mechanism.addresses import Site
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Name, Record
from peabench.mechanism.tensors import TensorReference

ORTHONORMAL_TOLERANCE = 1e-5
"""Largest deviation of an entry of basisᵀ·basis from the identity."""


class Location(Record):
    """A subspace of the activations at a site: the span of an orthonormal basis, or a set of neurons."""

    site: Site
    basis: TensorReference | None = None
    """Basis `[d_model, k]` with orthonormal columns."""
    neurons: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    """Indices of coordinates of the site, usually hidden neurons of a unit."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.basis is None) == (self.neurons is None):
            raise MechanismError("expected either a basis or neurons, got both or neither; give exactly one", "basis")
        if self.neurons is not None and len(set(self.neurons)) != len(self.neurons):
            raise MechanismError("expected different neurons, got one twice; list each once", "neurons")
        if self.basis is not None:
            shape = self.basis.shape
            if len(shape) != 2 or shape[0] < shape[1] or self.basis.dtype != "float32":
                raise MechanismError(
                    f"expected a float32 basis of shape [d_model, k] with k <= d_model, "
                    f"got {self.basis.dtype} {list(shape)}; correct the reference",
                    "basis.shape",
                )
        return self

    @property
    def dimension(self) -> int:
        """Dimension of the subspace."""
        return self.basis.shape[1] if self.basis is not None else len(self.neurons or ())


class Alignment(Record):
    """Where a variable lives, with the alternatives that were certified to be as right."""

    variable: Name
    location: Location
    alternatives: tuple[Location, ...] = ()

    @property
    def locations(self) -> tuple[Location, ...]:
        """The location and its alternatives."""
        return (self.location, *self.alternatives)

    def places(self) -> Iterator[tuple[str, TensorReference]]:
        """The tensor references within, each with its field path."""
        for i, location in enumerate(self.locations):
            if location.basis is not None:
                yield ("location.basis" if i == 0 else f"alternatives.{i - 1}.basis"), location.basis


def check_orthonormal(basis: Float[Tensor, "d_model k"], field: str) -> None:
    """That the columns of a basis are orthonormal; a MechanismError about `field` if not."""
    columns = basis.to(torch.float64)
    gap = float((columns.T @ columns - torch.eye(columns.shape[1], dtype=torch.float64)).abs().max())
    if gap > ORTHONORMAL_TOLERANCE:
        raise MechanismError(
            f"expected orthonormal columns (to {ORTHONORMAL_TOLERANCE:g}), got a deviation of {gap:.2g}; "
            "orthonormalise the basis, for instance with torch.linalg.qr",
            field,
        )
