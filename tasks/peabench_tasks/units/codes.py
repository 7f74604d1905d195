"""How the values of a variable are written: corners far from each other in as few dimensions as that takes."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import Kind
from peabench.mechanism.kinds import cardinality
from peabench_tasks.planting.program import simplex


def values_of(kind: Kind) -> int:
    """How many values a variable takes.

    Raises:
        ValueError: it is a real number.
    """
    count = cardinality(kind)
    if count is None:
        raise ValueError("expected a variable of finitely many values, got a real number")
    return count


def corners(count: int) -> Float[Tensor, "value k"]:
    """Corners of a cross-polytope, the first half on the positive axes; three values are a triangle's.

    Two values are -1 and 1. Distances are 1.4 or more.
    """
    if count == 2:
        return torch.tensor([[-1.0], [1.0]])
    if count == 3:
        angles = 2 * math.pi * torch.arange(3) / 3
        return torch.stack([angles.cos(), angles.sin()], 1)
    axes = torch.eye((count + 1) // 2)
    return torch.cat([axes, -axes])[:count]


def told_apart(count: int) -> Float[Tensor, "value k"]:
    """Corners of a regular simplex, of length 1, the first on the first axis: an affine map tells each from the others.

    Distances are 1.4 or more.
    """
    turned = torch.linalg.qr(simplex(count)[0].T).R.T
    signs: Tensor = turned.diagonal().sign()
    return torch.nn.functional.normalize(turned * signs)


def dimension(kind: Kind, *, affine: bool = False) -> int:
    """Dimensions in which a variable is written; see `code`."""
    return code(kind, affine=affine).shape[1]


def code(kind: Kind, order: Sequence[int] | None = None, *, affine: bool = False) -> Float[Tensor, "value k"]:
    """What is written for each value, in the coordinates of the variable's subspace.

    Args:
        kind: of the variable.
        order: the corner of each value; None is in order.
        affine: whether an affine map shall tell each value from all others, which takes more dimensions.
    """
    where = told_apart(values_of(kind)) if affine else corners(values_of(kind))
    return where if order is None else where[list(order)]
