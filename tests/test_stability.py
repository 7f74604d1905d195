"""How firm a board is, against Kendall's tau counted pair by pair and a bootstrap written as a loop."""

from itertools import combinations

import numpy as np
import pytest
from cells import cell
from scipy.stats import kendalltau

from peabench.results import CellResult
from peabench.stability import halves, resolved, stability


def table(scores: dict[str, list[list[float]]]) -> list[CellResult]:
    """Results of scorers: scores[scorer][variant][seed]."""
    return [
        cell(scorer, f"f/v{variant}-s-{seed}", score)
        for scorer, variants in scores.items()
        for variant, seeds in enumerate(variants)
        for seed, score in enumerate(seeds)
    ]


def test_the_halves_of_seeds_are_disjoint_complete_and_each_way_once() -> None:
    assert halves([]) == halves(["0"]) == halves(["0", "0"]) == []
    for count in range(2, 9):
        found = halves([str(i) for i in range(count)])
        assert all(len(a) == count // 2 and not a & b and len(a | b) == count for a, b in found)
        assert len({frozenset((a, b)) for a, b in found}) == len(found)
        chosen = [frozenset(c) for c in combinations(range(count), count // 2)]
        assert len(found) == len({frozenset((c, frozenset(range(count)) - c)) for c in chosen})
    many = [str(i) for i in range(12)]
    assert len(halves(many)) == 128
    assert halves(many) == halves(many[::-1])


def test_tau_is_the_mean_over_the_splits_of_scipys() -> None:
    generator = np.random.default_rng(2)
    scores = {name: generator.random((4, 3)).tolist() for name in "abcde"}
    found = stability(table(scores), resamples=50)[0]
    means = np.array([np.mean(value, axis=0) for value in scores.values()])  # [scorer, seed]
    expected = [kendalltau(means[:, i], np.delete(means, i, axis=1).mean(1)).statistic for i in range(3)]
    assert found.tau == pytest.approx(np.mean(expected))
    assert (found.splits, found.methods, found.pairs) == (3, 5, 10)


def test_tau_counts_pairs_that_keep_their_order() -> None:
    rank = {"a": [[0.9, 0.8]], "b": [[0.5, 0.9]], "c": [[0.1, 0.2]], "d": [[0.3, 0.1]]}
    first, second = ([value[0][seed] for value in rank.values()] for seed in (0, 1))
    signs = [np.sign(first[i] - first[j]) * np.sign(second[i] - second[j]) for i, j in combinations(range(4), 2)]
    assert stability(table(rank), resamples=50)[0].tau == pytest.approx(sum(signs) / 6)
    same = {"a": [[0.9, 0.9]], "b": [[0.5, 0.5]]}
    assert stability(table(same), resamples=50)[0].tau == 1
    assert stability(table({"a": [[0.9, 0.1]], "b": [[0.5, 0.5]]}), resamples=50)[0].tau == -1


def test_there_is_no_tau_without_two_methods_or_two_seeds_or_any_order() -> None:
    for scores in ({"a": [[0.1, 0.2]]}, {"a": [[0.1]], "b": [[0.2]]}, {"a": [[0.5, 0.5]], "b": [[0.5, 0.5]]}):
        assert stability(table(scores), resamples=50)[0].tau is None
    references = [cell("oracle", f"f/v0-s-{i}", 1.0, role="oracle") for i in range(2)]
    assert stability([*references, *table({"a": [[0.1, 0.2]]})], resamples=50)[0].methods == 1
    holed = [*table({"a": [[0.1, 0.2]], "b": [[0.3, 0.4]]}), cell("c", "f/v0-s-0", 0.5), cell("c", "f/v0-s-1", None)]
    assert stability(holed, resamples=50)[0].methods == 2


def test_what_can_be_resolved_is_that_of_a_bootstrap_written_as_a_loop() -> None:
    generator = np.random.default_rng(5)
    scores = {name: (0.1 * i + 0.3 * generator.random((4, 3))).tolist() for i, name in enumerate("abc")}
    results = table(scores)
    found = stability(results, resamples=20_000)[0]
    flat = np.array([np.ravel(value) for value in scores.values()])
    bounds = []
    for one, other in combinations(range(3), 2):
        difference = flat[one] - flat[other]
        draws = [difference[generator.integers(0, 12, 12)].mean() for _ in range(20_000)]
        bounds.append(np.quantile(draws, [0.025, 0.975]))
    assert found.resolvable == pytest.approx(np.median([(high - low) / 2 for low, high in bounds]), abs=0.003)
    assert 0 < found.resolved == sum(low > 0 or high < 0 for low, high in bounds)


def test_equal_scorers_are_not_told_apart_however_sums_are_rounded() -> None:
    third = [[1 / 3, 2 / 3, 1 / 7]]
    found = stability(table({"a": third, "b": [[value + 1e-13 for value in third[0]]]}), resamples=200)[0]
    assert (found.resolved, found.pairs) == (0, 1)
    assert found.resolvable == pytest.approx(0, abs=1e-9)
    assert not resolved((-0.1, 0.2))
    assert resolved((0.1, 0.2))
    assert resolved((-0.2, -0.1))
    single = stability([cell(name, "f/v0-s-0", 0.5) for name in "ab"], resamples=50)[0]
    assert (single.resolvable, single.pairs) == (None, 0)
