"""Domains: every combination of values, drawn uniformly or with given frequencies."""

import pytest
import torch
from pydantic import ValidationError

from peabench.domain import ProductDomain


def test_values_are_drawn_as_often_as_the_frequencies_say() -> None:
    shares = ((0.99, 0.01), None, (0.2, 0.0, 0.5, 0.3))
    domain = ProductDomain(sizes=(2, 3, 4), frequency=shares)
    rows = domain.sample(200_000, torch.Generator().manual_seed(0))
    assert rows.shape == (200_000, 3)
    for column, expected in enumerate(((0.99, 0.01), (1 / 3,) * 3, (0.2, 0.0, 0.5, 0.3))):
        counts = rows[:, column].bincount(minlength=len(expected)) / len(rows)
        assert counts.tolist() == pytest.approx(expected, abs=0.005)
    together = ((rows[:, 0] == 1) & (rows[:, 2] == 2)).double().mean()
    assert float(together) == pytest.approx(0.005, abs=0.001)


def test_a_domain_without_frequencies_is_written_and_drawn_as_ever() -> None:
    domain = ProductDomain(sizes=(2, 3))
    assert domain.model_dump_json() == '{"kind":"product","sizes":[2,3]}'
    numbers = torch.randint(0, 6, (5,), generator=torch.Generator().manual_seed(1))
    assert torch.equal(domain.sample(5, torch.Generator().manual_seed(1)), domain.rows(numbers))


def test_a_domain_with_frequencies_may_be_of_any_size() -> None:
    domain = ProductDomain(sizes=(2,) * 512, frequency=((0.9, 0.1),) * 512)
    assert domain.size == 2**512
    assert domain.sample(3, torch.Generator()).shape == (3, 512)
    again = ProductDomain.model_validate_json(domain.model_dump_json())
    assert again == domain


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sizes": (2,) * 65}, "expected at most 64 columns"),
        ({"sizes": (2,) * 63}, "2\\^62 inputs"),
        ({"frequency": ((0.5, 0.5),)}, "one entry for each of 2 columns"),
        ({"frequency": ((0.5, 0.5), (0.5, 0.5))}, "frequency.1: expected 3 shares that sum to 1, got 2"),
        ({"frequency": ((0.5, 0.4), None)}, "frequency.0: expected 2 shares that sum to 1, got 2 that sum to 0.9"),
        ({"frequency": ((1.5, -0.5), None)}, "greater than or equal to 0"),
    ],
)
def test_what_is_no_domain_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ProductDomain.model_validate({"sizes": (2, 3)} | changes)
