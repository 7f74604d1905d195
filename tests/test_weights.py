"""What tasks weigh: families alike, tasks within them alike, planted ones at most half."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peabench.weights import bootstrap_means, task_weights

TASKS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["planted", "derived", "constructed"])), min_size=1, max_size=12
)


@given(TASKS)
def test_planted_tasks_weigh_at_most_half_unless_there_are_no_others(tasks: list[tuple[str, str]]) -> None:
    families, provenances = [list(column) for column in zip(*tasks, strict=True)]
    weights = task_weights(families, provenances)
    planted = sum(weight for weight, found in zip(weights, provenances, strict=True) if found == "planted")
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()
    assert planted <= 0.5 + 1e-12 or set(provenances) == {"planted"}


@given(TASKS)
def test_where_the_cap_does_not_bind_a_family_weighs_as_much_as_another(tasks: list[tuple[str, str]]) -> None:
    families = [family for family, _ in tasks]
    for provenances in (["derived"] * len(tasks), ["planted"] * len(tasks)):
        weights = task_weights(families, provenances)
        found = Counter[str]()
        for family, weight in zip(families, weights, strict=True):
            found[family] += weight
        assert list(found.values()) == pytest.approx([1 / len(found)] * len(found))


def test_under_the_cap_the_score_is_the_mean_of_the_planted_and_of_the_other_families() -> None:
    scores = {"a": [0.1, 0.3], "b": [0.5], "c": [0.9, 0.7, 0.2], "d": [0.4, 0.8]}
    families = [family for family, found in scores.items() for _ in found]
    provenances = ["derived" if family == "d" else "planted" for family in families]
    values = np.array([score for found in scores.values() for score in found])
    planted = np.mean([np.mean(scores[family]) for family in "abc"])
    assert task_weights(families, provenances) @ values == pytest.approx((planted + 0.6) / 2)


def test_a_weighted_bootstrap_has_the_mean_and_covariance_of_theory() -> None:
    scores = np.random.default_rng(0).random((2, 9))
    strata, weights = ["a"] * 4 + ["b"] * 5, np.array([0.2] * 4 + [0.04] * 5)
    drawn = bootstrap_means(scores, strata, weights, 40_000, seed=1)
    np.testing.assert_allclose(drawn.mean(1), scores @ weights, atol=0.003)
    theory = 4 * 0.2**2 * np.cov(scores[:, :4], bias=True) + 5 * 0.04**2 * np.cov(scores[:, 4:], bias=True)
    np.testing.assert_allclose(np.cov(drawn), theory, rtol=0.05)
