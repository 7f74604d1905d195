"""Exact bounds."""

import pytest
from scipy.stats import binomtest

from peabench.certification import Check, NullCheck, upper_bound
from peabench.certification.checks import judged, lower_bound, totals


@pytest.mark.parametrize(("errors", "cases"), [(0, 10), (0, 32768), (3, 50), (49, 50)])
def test_upper_bound_is_clopper_pearson(errors: int, cases: int) -> None:
    # A one-sided 95% bound is the upper end of the two-sided 90% interval.
    expected = binomtest(errors, cases).proportion_ci(0.9, method="exact").high
    assert upper_bound(errors, cases, exhaustive=False) == pytest.approx(expected)


@pytest.mark.parametrize(("errors", "cases"), [(0, 10), (3, 50), (70, 1024), (50, 50)])
def test_lower_bound_is_clopper_pearson(errors: int, cases: int) -> None:
    expected = binomtest(errors, cases).proportion_ci(0.9, method="exact").low
    assert lower_bound(errors, cases) == pytest.approx(expected)


def test_exhaustive_rates_are_exact_and_nothing_tried_proves_nothing() -> None:
    assert upper_bound(3, 10, exhaustive=True) == 0.3
    assert upper_bound(0, 0, exhaustive=False) == 1.0


@pytest.mark.parametrize(
    ("errors", "null_errors", "passed"), [(0, 3, True), (1, 3, False), (0, 0, False), (0, None, False)]
)
def test_a_check_passes_only_where_its_null_fails(errors: int, null_errors: int | None, passed: bool) -> None:
    null = None if null_errors is None else NullCheck(description="another", cases=8, errors=null_errors)
    assert judged("name", "claim", errors, 8, exhaustive=True, null=null).passed is passed


def test_each_part_keeps_to_the_tolerance_on_its_own() -> None:
    null = NullCheck(description="wrong", cases=100, errors=90)

    def check(parts: dict[str, tuple[int, int]], bar: float) -> Check:
        return judged("name", "claim", *totals(parts), exhaustive=True, null=null, bar=bar, parts=parts)

    even, uneven = {"a": (4, 100), "b": (4, 100)}, {"a": (8, 100), "b": (0, 100)}
    assert totals(even) == totals(uneven) == (8, 200)
    assert check(even, 0.05).passed
    assert not check(uneven, 0.05).passed
    assert check(uneven, 0.05).recorded == {"a wrong": 0.08, "b wrong": 0.0}
    assert check({"a": (0, 100)}, 0.0).recorded == {}
