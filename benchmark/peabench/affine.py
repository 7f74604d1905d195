"""Affine maps by ridge regression."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class AffineMap:
    """`x @ matrix + offset`, in double precision."""

    matrix: Float[Tensor, "width k"]
    offset: Float[Tensor, " k"]

    def __call__(self, rows: Float[Tensor, "*row width"]) -> Float[Tensor, "*row k"]:
        """The map on rows."""
        return rows.double() @ self.matrix + self.offset


def ridge(rows: Float[Tensor, "row width"], targets: Float[Tensor, "row k"], penalty: float) -> AffineMap:
    """The affine map with the least squared error, plus a penalty on the squares of its matrix.

    Args:
        rows: what is read.
        targets: what should come out.
        penalty: relative to the mean variance of the columns of the rows, so that their scale does not matter.
    """
    rows, targets = rows.double(), targets.double()
    middle, centre = rows.mean(0), targets.mean(0)
    moved = rows - middle
    gram = moved.T @ moved / len(rows)
    gram += penalty * gram.diagonal().mean().clamp(min=1e-30) * torch.eye(len(gram), dtype=gram.dtype)
    matrix = torch.linalg.solve(gram, moved.T @ (targets - centre) / len(rows))
    return AffineMap(matrix, centre - middle @ matrix)
