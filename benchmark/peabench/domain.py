"""The inputs of a task: rows of integer columns, a full product of small alphabets, all rows or some values rare."""

from math import isclose, prod
from typing import Annotated, Any, Literal, Self

import torch
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor

LARGEST_NUMBERED = 1 << 62
"""Inputs that are numbered have 64-bit integers for it."""


class ProductDomain(BaseModel):
    """Every combination of column values; the last column changes fastest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["product"] = "product"
    sizes: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(min_length=1, max_length=4096)
    """Number of values of each column; column i takes 0 .. sizes[i] - 1."""
    frequency: tuple[tuple[Annotated[float, Field(ge=0, le=1)], ...] | None, ...] | None = None
    """How often each column takes each of its values, columns independently; None: all equally often. The domain still
    holds every combination: a frequency says only how inputs are drawn."""

    @model_serializer(mode="wrap")
    def _without_empty_frequency(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialise(self)
        if self.frequency is None:
            fields.pop("frequency", None)  # what is drawn from a record's text stays what it was before
        return fields

    @model_validator(mode="after")
    def _frequencies_fit(self) -> Self:
        if self.frequency is None:
            if len(self.sizes) > 64 or self.size > LARGEST_NUMBERED:
                raise ValueError(
                    f"sizes: expected at most 64 columns and 2^62 inputs, got {len(self.sizes)} columns; "
                    "give frequencies, with which inputs need no numbers"
                )
            return self
        if len(self.frequency) != len(self.sizes):
            raise ValueError(f"frequency: expected one entry for each of {len(self.sizes)} columns, got others")
        for i, (size, shares) in enumerate(zip(self.sizes, self.frequency, strict=True)):
            if shares is not None and (len(shares) != size or not isclose(sum(shares), 1, abs_tol=1e-6)):
                raise ValueError(
                    f"frequency.{i}: expected {size} shares that sum to 1, got {len(shares)} that sum to "
                    f"{sum(shares):.6g}; list one for each value"
                )
        return self

    @property
    def size(self) -> int:
        """Number of inputs."""
        return prod(self.sizes)

    @property
    def varying(self) -> tuple[bool, ...]:
        """Whether each column takes more than one value."""
        return tuple(size > 1 for size in self.sizes)

    def rows(self, index: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch column"]:
        """The inputs with the given numbers, 0 .. size - 1."""
        columns = []
        for size in reversed(self.sizes):
            columns.append(index % size)
            index = index // size
        return torch.stack(columns[::-1], -1)

    def all(self) -> Int[Tensor, "input column"]:
        """Every input."""
        return self.rows(torch.arange(self.size))

    def sample(self, count: int, generator: torch.Generator) -> Int[Tensor, "row column"]:
        """Independent draws, with replacement: uniform, or as often as the frequencies say."""
        if self.frequency is None:
            return self.rows(torch.randint(0, self.size, (count,), generator=generator))
        bounds = torch.ones(len(self.sizes), max(self.sizes), dtype=torch.float64)
        for column, (size, shares) in enumerate(zip(self.sizes, self.frequency, strict=True)):
            whole = torch.full((size,), 1 / size) if shares is None else torch.tensor(shares, dtype=torch.float64)
            bounds[column, : size - 1] = whole.double().cumsum(0)[:-1]
        drawn = torch.rand(len(self.sizes), count, generator=generator, dtype=torch.float64)
        return torch.searchsorted(bounds, drawn, right=True).T.contiguous()
