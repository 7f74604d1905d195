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


@pytest.mark.parametrize("count", [2, 3, 4, 16])
def test_an_affine_map_tells_values_apart_that_are_written_as_a_simplex(count: int) -> None:
    where = code(Category(values=count), affine=True)
    assert where.shape == (count, count - 1)
    assert torch.allclose(where.norm(dim=1), torch.ones(count))
    assert torch.pdist(where).min() > 1.4
    assert torch.allclose(where.sum(0), torch.zeros(count - 1), atol=1e-5)
    assert where[0, 0] == pytest.approx(1)
    assert (where[1:, 0] < 0).all()
    with_constant = torch.cat([where, torch.ones(count, 1)], 1)
    assert torch.allclose(
        with_constant @ torch.linalg.solve(with_constant, torch.eye(count)), torch.eye(count), atol=1e-4
    )
    if count > 3:
        assert torch.linalg.matrix_rank(torch.cat([corners(count), torch.ones(count, 1)], 1)) < count


def test_a_real_number_has_no_corners() -> None:
    with pytest.raises(ValueError, match="finitely many values"):
        values_of(Real())
