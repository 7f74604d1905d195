"""Kinds of values that variables and expressions take.

A value of a kind is a tensor of shape `[*batch, *trailing_shape(kind)]`: bool for booleans, int64 for integers
and categories, float64 for reals. A kind with a `length` has a position axis.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import torch
from jaxtyping import Shaped
from pydantic import Field, model_validator
from torch import Tensor

from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Record

LARGEST_INTEGER = 2**62
"""Bound on the absolute value of integers, so that int64 arithmetic within bounds never wraps around."""

Length = Annotated[int, Field(ge=1, le=1_000_000)]
BoundedInteger = Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]


class Boolean(Record):
    """True or false."""

    kind: Literal["boolean"] = "boolean"
    length: Length | None = None


class Integer(Record):
    """An integer modulo n, represented by 0 ... n-1."""

    kind: Literal["integer"] = "integer"
    modulus: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
    length: Length | None = None


class Range(Record):
    """A plain integer from `low` to `high`, both included: counts, differences, table entries."""

    kind: Literal["range"] = "range"
    low: BoundedInteger
    high: BoundedInteger
    length: Length | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise MechanismError(f"expected low <= high, got {self.low} > {self.high}; swap them", "low")
        return self


class Category(Record):
    """One of n values without order or arithmetic, represented by 0 ... n-1: a token, a name, a state."""

    kind: Literal["category"] = "category"
    values: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
    length: Length | None = None


class Real(Record):
    """A real number, or a vector of `dimension` of them."""

    kind: Literal["real"] = "real"
    dimension: Length | None = None
    length: Length | None = None


Kind = Annotated[Boolean | Integer | Range | Category | Real, Field(discriminator="kind")]


def dtype(kind: Kind) -> torch.dtype:
    """The torch dtype of values of `kind`."""
    if isinstance(kind, Boolean):
        return torch.bool
    return torch.float64 if isinstance(kind, Real) else torch.int64


def trailing_shape(kind: Kind) -> tuple[int, ...]:
    """Shape of one value of `kind`: [length] if it has positions, then [dimension] if it is a vector."""
    dimension = kind.dimension if isinstance(kind, Real) else None
    return tuple(size for size in (kind.length, dimension) if size is not None)


def bounds(kind: Kind) -> tuple[int, int] | None:
    """Smallest and largest value of `kind` as integers (booleans: 0 and 1); None for reals."""
    if isinstance(kind, Range):
        return kind.low, kind.high
    if isinstance(kind, Boolean):
        return 0, 1
    if isinstance(kind, Real):
        return None
    return 0, (kind.modulus if isinstance(kind, Integer) else kind.values) - 1


def cardinality(kind: Kind) -> int | None:
    """How many different values a single position of `kind` can take; None for reals."""
    limits = bounds(kind)
    return None if limits is None else limits[1] - limits[0] + 1


def describe(kind: Kind) -> str:
    """`kind` in words: 'boolean', 'integer modulo 7', 'sequence of 5 categories of 3 values'."""
    if isinstance(kind, Boolean):
        words = "boolean"
    elif isinstance(kind, Integer):
        words = f"integer modulo {kind.modulus}"
    elif isinstance(kind, Range):
        words = f"integer from {kind.low} to {kind.high}"
    elif isinstance(kind, Category):
        words = f"category of {kind.values} values"
    else:
        words = "real number" if kind.dimension is None else f"real vector of dimension {kind.dimension}"
    return words if kind.length is None else f"{words} at each of {kind.length} positions"


def fits(kind: Kind, target: Kind) -> bool:
    """Whether every value of `kind` is a value of `target`. Plain integers within its bounds fit a category."""
    if trailing_shape(kind) != trailing_shape(target) or kind.length != target.length:
        return False
    if isinstance(kind, Boolean | Real) or isinstance(target, Boolean | Real):
        return kind.kind == target.kind
    if isinstance(kind, Category) and not isinstance(target, Category):
        return False
    inner, outer = bounds(kind), bounds(target)
    return inner is not None and outer is not None and outer[0] <= inner[0] and inner[1] <= outer[1]


def check_value(name: str, value: Shaped[Tensor, "..."], kind: Kind) -> tuple[int, ...]:
    """Batch shape of `value`, once it is known to be a value of `kind` (dtype, trailing shape, bounds, finite).

    Raises:
        MechanismError: naming the variable `name`.
    """
    if value.dtype != dtype(kind):
        raise MechanismError(
            f"expected values of {name} as {dtype(kind)} ({describe(kind)}), got {value.dtype}; convert the tensor"
        )
    trailing = trailing_shape(kind)
    split = value.dim() - len(trailing)
    if split < 0 or tuple(value.shape[split:]) != trailing:
        raise MechanismError(
            f"expected values of {name} of shape [*batch{''.join(f', {n}' for n in trailing)}], "
            f"got {list(value.shape)}; reshape the tensor"
        )
    limits = bounds(kind)
    if math.prod(value.shape) and limits is not None and not isinstance(kind, Boolean):
        low, high = (int(bound) for bound in torch.aminmax(value))
        if low < limits[0] or high > limits[1]:
            raise MechanismError(
                f"expected values of {name} from {limits[0]} to {limits[1]}, got {low} to {high}; correct the tensor"
            )
    if isinstance(kind, Real) and not bool(torch.isfinite(value).all()):
        raise MechanismError(f"expected finite values of {name}, got NaN or infinity; correct the tensor")
    return tuple(value.shape[:split])
