"""The inputs of a task: rows of integer columns, either a full product of small alphabets or a stored list."""

from math import prod
from typing import Annotated, Literal

import torch
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor


class ProductDomain(BaseModel):
    """Every combination of column values; the last column changes fastest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["product"] = "product"
    sizes: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(min_length=1, max_length=64)
    """Number of values of each column; column i takes 0 .. sizes[i] - 1."""

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
        """Independent uniform draws, with replacement."""
        return self.rows(torch.randint(0, self.size, (count,), generator=generator))
