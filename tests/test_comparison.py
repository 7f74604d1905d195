"""Two scorers against each other: paired, and like SciPy's bootstrap of the differences."""

from typing import Any

import numpy as np
import pytest
from cells import cell
from scipy.stats import bootstrap

from peabench.comparison import compare
from peabench.errors import PeabenchError
from peabench.results import CellResult
from peabench.standings import standings

TASKS = [f"f/{variant}-{size}-{seed}" for variant in ("x", "y") for size in ("s", "m") for seed in range(3)]


def results_of(name: str, scores: np.ndarray, **fields: Any) -> list[CellResult]:
    return [cell(name, task, float(score), **fields) for task, score in zip(TASKS, scores, strict=True)]


def test_the_difference_is_paired_and_has_the_interval_of_scipys_bootstrap() -> None:
    generator = np.random.default_rng(0)
    one = generator.random(12)
    other = one - 0.05 + 0.05 * generator.random(12)  # far nearer than either is sure of
    found = compare(results_of("a", one) + results_of("b", other), "a", "b", resamples=50_000)
    assert found.overall.difference == pytest.approx((one - other).mean())
    theirs = bootstrap((one - other,), np.mean, n_resamples=50_000, method="percentile", rng=np.random.default_rng(5))
    np.testing.assert_allclose(found.overall.interval or (), theirs.confidence_interval, atol=5e-4)
    assert found.resolved
    assert (found.first_score, found.second_score) == pytest.approx((one.mean(), other.mean()))
    back = compare(results_of("a", one) + results_of("b", other), "b", "a", resamples=50_000)
    assert back.overall.difference == pytest.approx(-found.overall.difference)
    assert back.overall.wins == found.overall.losses


def test_the_difference_is_that_of_the_board() -> None:
    generator = np.random.default_rng(1)
    results = results_of("a", generator.random(12)) + results_of("b", generator.random(12))
    rows = {row.scorer: row.score for row in standings(results, resamples=50)}
    assert compare(results, "a", "b").overall.difference == pytest.approx(rows["a"] - rows["b"])  # type: ignore[operator]


def test_wins_ties_and_losses_are_counted_over_all_and_for_each_variant_and_size() -> None:
    other = np.array([0.5] * 12)
    one = np.array([0.6, 0.6, 0.5, 0.4, 0.4, 0.4, 0.5 + 1e-14, 0.9, 0.9, 0.9, 0.1, 0.5])
    found = compare(results_of("a", one) + results_of("b", other), "a", "b", resamples=200)
    assert (found.overall.wins, found.overall.ties, found.overall.losses) == (5, 3, 4)
    assert found.overall.tasks == 12
    assert {name: (d.wins, d.ties, d.losses) for name, d in found.variants.items()} == {"x": (2, 1, 3), "y": (3, 2, 1)}
    assert list(found.sizes) == ["s", "m"]
    assert (found.sizes["m"].wins, found.sizes["m"].ties, found.sizes["m"].losses) == (1, 1, 4)
    assert found.variants["x"].difference == pytest.approx((one - other)[:6].mean())
    assert not found.resolved


def test_only_tasks_that_both_answered_are_compared() -> None:
    results = results_of("a", np.full(12, 0.5)) + results_of("b", np.full(12, 0.4))
    results[0] = cell("a", TASKS[0], None)
    results = [result for result in results if result.key.task not in TASKS[1:3] or result.key.scorer == "a"]
    found = compare(results, "a", "b", resamples=50)
    assert (found.overall.tasks, found.only_first, found.only_second) == (9, 2, 1)
    assert found.overall.difference == pytest.approx(0.1)
    assert found.overall.interval == pytest.approx((0.1, 0.1))
    changed = results_of("c", np.full(12, 0.4))
    changed = [r.model_copy(update={"key": r.key.model_copy(update={"content_hash": "new"})}) for r in changed]
    with pytest.raises(PeabenchError, match="a and c have no answered cell in common"):
        compare([*results, *changed], "a", "c")


def test_several_seeds_of_a_task_are_one_task() -> None:
    results = []
    for seed, score in ((0, 0.6), (1, 0.8)):
        results += results_of("a", np.full(12, score), seed=seed) + results_of("b", np.full(12, 0.5), seed=seed)
    found = compare(results, "a", "b", resamples=50)
    assert (found.overall.tasks, found.overall.wins) == (12, 12)
    assert found.overall.difference == pytest.approx(0.2)


def test_each_seed_may_count_by_itself() -> None:
    generator = np.random.default_rng(2)
    one, other = generator.random((2, 3, 12))
    results = []
    for seed in range(3):
        results += results_of("a", one[seed], seed=seed) + results_of("b", other[seed], seed=seed)
    over_tasks, over_cells = (compare(results, "a", "b", each_seed=each) for each in (False, True))
    assert (over_tasks.overall.tasks, over_cells.overall.tasks) == (12, 36)
    assert over_cells.variants["x"].tasks == 18
    assert over_cells.overall.wins == int((one > other).sum())
    assert over_cells.overall.difference == pytest.approx(over_tasks.overall.difference)
    theirs = bootstrap(((one - other).ravel(),), np.mean, method="percentile", rng=np.random.default_rng(5))
    np.testing.assert_allclose(over_cells.overall.interval or (), theirs.confidence_interval, atol=5e-3)


def test_a_family_with_one_task_has_no_interval_and_is_not_resolved() -> None:
    results = [cell(name, "f/x-s-0", score) for name, score in (("a", 0.9), ("b", 0.1))]
    found = compare(results, "a", "b")
    assert (found.overall.interval, found.resolved) == (None, False)


def test_what_cannot_be_compared_is_one_sentence() -> None:
    results = [cell("eap", "f/0", 0.5), cell("das", "f/0", 0.5, track="variables")]
    results += [cell("oracle", "f/0", 1.0, track=track) for track in ("circuits", "variables")]
    with pytest.raises(PeabenchError, match="No result is of a scorer 'eep'; did you mean eap"):
        compare(results, "eap", "eep")
    with pytest.raises(PeabenchError, match="eap answers circuits and das answers variables; compare two scorers of"):
        compare(results, "eap", "das")
    with pytest.raises(PeabenchError, match="Both oracle and oracle answer circuits and variables; choose one by"):
        compare(results, "oracle", "oracle")
    with pytest.raises(PeabenchError, match="eap and oracle do not both answer 'variables'"):
        compare(results, "eap", "oracle", track="variables")
    assert compare(results, "oracle", "oracle", track="variables").overall.ties == 1
    mixed = [*results, cell("eap", "f/1", 0.5, scorer_version="2")]
    with pytest.raises(PeabenchError, match="The results of eap are of several versions"):
        compare(mixed, "eap", "oracle", track="circuits")
