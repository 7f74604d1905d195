"""Standings: means over families, intervals like SciPy's, coverage never hidden."""

from typing import Any

import numpy as np
import pytest
from cells import cell
from scipy.stats import bootstrap

from peabench.errors import PeabenchError
from peabench.results import CellResult
from peabench.standings import Missing, Standing, by_metric, standings, told_by_a_null
from peabench.weights import bootstrap_means, task_weights


def by_name(rows: list[Standing]) -> dict[str, Standing]:
    return {row.scorer: row for row in rows}


def test_one_family_has_the_interval_of_scipys_bootstrap() -> None:
    scores = np.random.default_rng(3).beta(2, 3, size=24)
    weights = task_weights(["a"] * 24, ["derived"] * 24)
    ours = np.quantile(bootstrap_means(scores[None], ["a"] * 24, weights, 50_000, seed=0)[0], [0.025, 0.975])
    theirs = bootstrap((scores,), np.mean, n_resamples=50_000, method="percentile", rng=np.random.default_rng(5))
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.003)


def test_two_families_are_resampled_apart_and_weigh_the_same() -> None:
    generator = np.random.default_rng(4)
    small, large = generator.normal(0.2, 0.1, size=6), generator.normal(0.8, 0.2, size=40)
    families = ["small"] * 6 + ["large"] * 40
    weights = task_weights(families, ["derived"] * 46)
    scores = np.concatenate([small, large])
    ours = np.quantile(bootstrap_means(scores[None], families, weights, 50_000, seed=0)[0], [0.025, 0.975])

    def mean_of_means(a: Any, b: Any, axis: int) -> Any:
        return (a.mean(axis) + b.mean(axis)) / 2

    theirs = bootstrap(
        (small, large), mean_of_means, n_resamples=50_000, method="percentile", rng=np.random.default_rng(5)
    )
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.003)
    assert weights @ scores == pytest.approx((small.mean() + large.mean()) / 2)


def test_a_failed_cell_lowers_coverage_and_takes_the_rank() -> None:
    tasks = [f"f/{i}" for i in range(4)]
    results = [cell("whole", task, 0.5) for task in tasks]
    results += [cell("holed", task, None if task == "f/0" else 0.9) for task in tasks]
    rows = by_name(standings(results, resamples=200))
    assert (rows["holed"].coverage, rows["holed"].rank, rows["holed"].failed) == (0.75, None, 1)
    assert rows["holed"].score == pytest.approx(0.9)
    assert (rows["whole"].coverage, rows["whole"].rank) == (1.0, 1)


def declined(scorer: str, task: str) -> CellResult:
    return cell(scorer, task, None).model_copy(update={"status": "declined", "reason": "not mine"})


def test_a_declined_cell_counts_as_chance() -> None:
    """So that nobody gains by answering what is easy, and methods for different tasks have a rank."""
    scores: dict[str, list[float | None]] = {
        "whole": [0.5, 0.5, 0.4, 0.4],
        "easy": [0.9, None, None, None],
        "guess": [0.9, 0.0, 0.0, 0.0],
    }
    results = [
        cell(name, f"f/{'ab'[i > 1]}-s-{i}", score) if score is not None else declined(name, f"f/{'ab'[i > 1]}-s-{i}")
        for name, found in scores.items()
        for i, score in enumerate(found)
    ]
    results += [declined("nothing", f"f/{'ab'[i > 1]}-s-{i}") for i in range(4)]
    rows = by_name(standings(results, resamples=200))
    easy, guess = rows["easy"], rows["guess"]
    assert easy.score == guess.score == pytest.approx(0.225)
    assert (easy.interval, easy.rank_interval) == (guess.interval, guess.rank_interval)
    assert (easy.answered_score, easy.coverage, easy.answered, easy.declined) == (0.9, 0.25, 1, 3)
    assert {name: row.rank for name, row in rows.items()} == {"whole": 1, "easy": 2, "guess": 2, "nothing": None}
    assert rows["nothing"].score is None
    assert easy.variants == {"a": 0.45}
    assert guess.variants == {"a": 0.45, "b": 0.0}
    failed = [cell("easy", r.key.task, None) if r.key == results[5].key else r for r in results]
    assert by_name(standings(failed, resamples=50))["easy"].rank is None


def test_a_missing_file_lowers_coverage_like_a_failure() -> None:
    results = [cell("whole", f"f/{i}", 0.5) for i in range(4)] + [cell("short", f"f/{i}", 0.9) for i in range(3)]
    assert by_name(standings(results, resamples=200))["short"].coverage == 0.75


def test_a_scorer_without_any_answer_has_no_score() -> None:
    row = standings([cell("broken", "f/0", None), cell("broken", "f/1", None)])[0]
    assert (row.score, row.interval, row.rank, row.coverage, row.forward_passes) == (None, None, None, 0.0, None)


def test_results_of_another_version_seed_or_content_do_not_mix() -> None:
    results = [cell("a", "f/0", 0.1), cell("a", "f/1", 0.2, scorer_version="2"), cell("a", "f/2", 0.3, seed=1)]
    assert [row.coverage for row in standings(results)] == [pytest.approx(1 / 3)] * 3
    changed = [cell("a", "f/0", 0.1), cell("b", "f/0", 0.2, content_hash="new")]
    assert [row.coverage for row in standings(changed)] == [0.5, 0.5]


def test_ranks_leave_out_references_and_share_ties() -> None:
    scores = {"best": [0.9, 0.8, 0.85], "twin": [0.8, 0.9, 0.85], "worst": [0.1, 0.2, 0.1]}
    results = [cell(name, f"f/{i}", score) for name, found in scores.items() for i, score in enumerate(found)]
    results += [cell("oracle", f"f/{i}", 1.0, role="oracle") for i in range(3)]
    rows = by_name(standings(results))
    assert {name: row.rank for name, row in rows.items()} == {"oracle": None, "best": 1, "twin": 1, "worst": 3}
    assert rows["best"].rank_interval == (1, 2)
    assert rows["worst"].rank_interval == (3, 3)


def test_a_family_with_one_task_has_no_interval() -> None:
    row = standings([cell("a", "f/0", 0.4), cell("a", "f/1", 0.6), cell("a", "g/0", 1.0)])[0]
    assert row.score == pytest.approx(0.75)
    assert row.interval is None
    assert row.rank == 1


def test_the_same_results_give_the_same_standings() -> None:
    results = [cell("a", f"f/{i}", i / 10) for i in range(8)]
    assert standings(results) == standings(results[::-1])


def test_scores_above_the_best_null_and_by_variant() -> None:
    results = [cell("method", "toy/a-s-0", 0.6), cell("method", "toy/b-s-0", 0.5)]
    results += [cell("prior", "toy/a-s-0", 0.2, role="null"), cell("prior", "toy/b-s-0", -0.3, role="null")]
    rows = by_name(standings(results, resamples=200))
    assert rows["method"].above_null == pytest.approx(((0.6 - 0.2) / 0.8 + 0.5) / 2)
    assert rows["method"].variants == {"a": 0.6, "b": 0.5}
    assert rows["prior"].above_null == pytest.approx((0 - 0.3) / 2)


def test_the_board_above_the_null_has_its_best_null_at_zero_and_intervals() -> None:
    results = [cell("method", f"toy/a-s-{seed}", 0.6 + 0.1 * seed) for seed in range(3)]
    results += [cell("prior", f"toy/a-s-{seed}", 0.2, role="null") for seed in range(3)]
    results += [cell("random", f"toy/a-s-{seed}", 0.0, role="null") for seed in range(3)]
    results += [cell("free", f"toy/a-s-{seed}", 0.5, track="variables") for seed in range(3)]
    before = by_name(standings(results, resamples=200))
    rows = by_name(standings(by_metric(results, "above_null"), resamples=200))
    assert set(rows) == {"method", "prior", "random"}
    assert rows["prior"].score == 0
    assert rows["random"].score == pytest.approx(-0.25)
    assert rows["method"].score == pytest.approx(before["method"].above_null) == pytest.approx(0.625)
    assert rows["method"].interval is not None
    assert rows["method"].interval[0] < 0.625 < rows["method"].interval[1]


def test_a_task_with_a_perfect_null_has_nothing_to_be_above() -> None:
    results = [cell("method", f"toy/a-s-{seed}", 0.6) for seed in range(3)]
    results += [cell("prior", f"toy/a-s-{seed}", 1.0 if seed == 0 else 0.2, role="null") for seed in range(3)]
    left = by_metric(results, "above_null")
    assert {result.key.task for result in left} == {"toy/a-s-1", "toy/a-s-2"}
    assert told_by_a_null(results) == {results[0].key.track: 1}
    rows = by_name(standings(left, resamples=50))
    assert (rows["method"].rank, rows["method"].coverage) == (1, 1)
    assert rows["method"].score == pytest.approx(0.5)
    assert by_name(standings(results, resamples=50))["method"].above_null == pytest.approx(0.5)


def test_who_declines_adds_nothing_to_the_null() -> None:
    results = [cell("method", "toy/a-s-0", 0.6), declined("method", "toy/a-s-1")]
    results += [cell("prior", f"toy/a-s-{seed}", 0.2, role="null") for seed in range(2)]
    rows = by_name(standings(by_metric(results, "above_null"), resamples=50))
    assert rows["method"].score == pytest.approx(0.25)
    assert rows["method"].answered_score == pytest.approx(0.5)
    assert by_name(standings(results, resamples=50))["method"].above_null == pytest.approx(0.25)


def test_a_declined_cell_is_no_0_of_another_metric() -> None:
    found = cell("one", "f/0", 0.5).model_copy(update={"metrics": {"score": 0.5, "auroc": 0.75}})
    row = standings(by_metric([found, declined("one", "f/1")], "auroc"), resamples=50)[0]
    assert (row.score, row.coverage, row.rank) == (0.75, 0.5, None)


def test_another_metric_stands_in_the_scores_place() -> None:
    results = [cell("one", f"f/{i}", 0.5) for i in range(3)] + [cell("other", "g/0", 0.5, track="variables")]
    results.append(cell("one", "f/3", None))
    results[:3] = [
        r.model_copy(update={"metrics": {"score": 0.5, "auroc": 0.1 * i}}) for i, r in enumerate(results[:3])
    ]
    rows = by_name(standings(by_metric(results, "auroc"), resamples=50))
    assert set(rows) == {"one"}
    assert rows["one"].score == pytest.approx(0.1)
    assert (rows["one"].answered, rows["one"].asked) == (3, 4)
    results[0] = results[0].model_copy(update={"metrics": {"score": 0.5}})
    assert by_name(standings(by_metric(results, "auroc"), resamples=50))["one"].coverage == 0.5
    assert by_metric(results, "score") == results
    with pytest.raises(PeabenchError, match="the metrics here are auroc, score, above_null"):
        by_metric(results, "aurok")


def test_every_cell_that_is_missing_has_its_reason() -> None:
    results = [cell("whole", f"f/{i}", 0.5) for i in range(4)]
    results += [cell("holed", "f/0", 0.9), cell("holed", "f/1", None)]
    results.append(cell("holed", "f/2", None).model_copy(update={"status": "declined", "reason": "not mine"}))
    rows = by_name(standings(results, resamples=50))
    assert rows["whole"].missing == ()
    assert rows["holed"].missing == (
        Missing("f/1", "failed", "broken"),
        Missing("f/2", "declined", "not mine"),
        Missing("f/3", "absent", "There is no result."),
    )
    assert (rows["holed"].answered, rows["holed"].declined, rows["holed"].failed) == (1, 1, 1)


def test_scores_are_split_by_family_size_provenance_and_along_the_scale() -> None:
    found = {"a/x-s-0": 0.1, "a/x-s-1": 0.3, "a/x-m-0": 0.5, "a/y-s-0": 0.9, "b/z-m-0": 0.7}
    results = [cell("one", task, score, provenance="derived") for task, score in found.items()]
    results[-1] = cell("one", "b/z-m-0", 0.7, provenance="constructed")
    row = standings(results, resamples=50)[0]
    assert row.families == pytest.approx({"a": 0.45, "b": 0.7})
    assert row.sizes == pytest.approx({"s": 1.3 / 3, "m": 0.6})
    assert list(row.sizes) == ["s", "m"]
    assert row.provenances == pytest.approx({"constructed": 0.7, "derived": 0.45})
    assert set(row.scale) == {"a/x"}
    assert row.scale["a/x"] == pytest.approx({"s": 0.2, "m": 0.5})


def test_planted_tasks_weigh_half_beside_others_and_more_only_without_them() -> None:
    planted = [cell("one", f"{family}/x-s-{i}", 0.9, provenance="planted") for family in "abc" for i in range(2)]
    others = [cell("one", f"d/x-s-{i}", 0.1, provenance="derived") for i in range(2)]
    mixed, alone = (standings(found, resamples=50)[0] for found in (planted + others, planted))
    assert [mixed.score, mixed.planted_share] == pytest.approx([0.5, 0.5])
    assert [alone.score, alone.planted_share] == pytest.approx([0.9, 1])
    assert mixed.interval == pytest.approx((0.5, 0.5))
