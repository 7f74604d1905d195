"""Values are written far apart, in few dimensions, and in the order asked for."""

import pytest
import torch

from peabench.mechanism import Boolean, Category, Real
from peabench_tasks.units.codes import code, corners, dimension, values_of


@pytest.mark.parametrize(("count", "size"), [(2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (9, 5)])
def test_values_are_at_least_1_4_apart_in_half_as_many_dimensions(count: int, size: int) -> None:
    where = corners(count)
    assert where.shape == (count, size)
    assert torch.pdist(where).min() > 1.4
    assert torch.allclose(where.norm(dim=1), torch.ones(count))


def test_an_order_says_which_corner_each_value_has() -> None:
    kind = Category(values=5)
    assert torch.equal(code(kind, (0, 3, 2, 1, 4))[1], -code(kind)[0])
    assert dimension(Boolean()) == 1
    assert code(Boolean()).flatten().tolist() == [-1, 1]


def test_a_real_number_has_no_corners() -> None:
    with pytest.raises(ValueError, match="finitely many values"):
        values_of(Real())
