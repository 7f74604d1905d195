"""Exact bounds."""

import pytest
from scipy.stats import binomtest

from peabench.certification import NullCheck, upper_bound
from peabench.certification.checks import judged


@pytest.mark.parametrize(("errors", "cases"), [(0, 10), (0, 32768), (3, 50), (49, 50)])
def test_upper_bound_is_clopper_pearson(errors: int, cases: int) -> None:
    # A one-sided 95% bound is the upper end of the two-sided 90% interval.
    expected = binomtest(errors, cases).proportion_ci(0.9, method="exact").high
    assert upper_bound(errors, cases, exhaustive=False) == pytest.approx(expected)


def test_exhaustive_rates_are_exact_and_nothing_tried_proves_nothing() -> None:
    assert upper_bound(3, 10, exhaustive=True) == 0.3
    assert upper_bound(0, 0, exhaustive=False) == 1.0


@pytest.mark.parametrize(
    ("errors", "null_errors", "passed"), [(0, 3, True), (1, 3, False), (0, 0, False), (0, None, False)]
)
def test_a_check_passes_only_where_its_null_fails(errors: int, null_errors: int | None, passed: bool) -> None:
    null = None if null_errors is None else NullCheck(description="another", cases=8, errors=null_errors)
    assert judged("name", "claim", errors, 8, exhaustive=True, null=null).passed is passed
