"""Average precision and what chance earns, against brute force over all orders."""

from itertools import permutations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from peabench.tracks.ranking import (
    Target,
    area_under_roc,
    average_precision,
    best_match,
    chance,
    expected_average_precision,
    targets,
)


def mask(*edges: int, total: int = 6) -> torch.Tensor:
    return torch.tensor([i in edges for i in range(total)])


@pytest.mark.parametrize(("positives", "total"), [(1, 1), (1, 4), (2, 5), (4, 5), (5, 5)])
def test_the_expectation_is_the_mean_over_all_orders(positives: int, total: int) -> None:
    labels = [i < positives for i in range(total)]
    found = [average_precision_score(labels, order) for order in permutations(range(total))]
    assert expected_average_precision(positives, total) == pytest.approx(sum(found) / len(found))


def test_chance_of_several_circuits_is_the_mean_of_the_best_match() -> None:
    candidates = [Target(mask(0, 1), mask(0, 1, 4, 5)), Target(mask(0, 2, 3), mask(0, 2, 3, 4, 5))]
    found = [best_match(torch.tensor(order).float(), candidates)[0] for order in permutations(range(6))]
    assert chance(candidates) == pytest.approx(sum(found) / len(found), abs=0.015)
    assert chance(candidates) > max(chance([target]) for target in candidates)


def test_edges_of_other_circuits_and_optional_ones_are_left_out() -> None:
    edges = ("a", "b", "c", "d", "e", "f")
    circuits = (frozenset("ab"), frozenset("ac"))
    first, second = targets(edges, circuits, frozenset("abcd"))
    assert torch.equal(first.circuit, mask(0, 1))
    assert torch.equal(first.ranked, mask(0, 1, 4, 5))
    assert torch.equal(second.circuit, mask(0, 2))
    scores = torch.tensor([3.0, 0.0, 3.0, 9.0, 1.0, 1.0])
    assert best_match(scores, [first, second]) == (1.0, 1)
    assert average_precision(scores, first) < 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=4))
def test_equal_scores_earn_the_mean_over_all_their_orders(edges: list[tuple[int, bool]]) -> None:
    scores, positive = ([edge[i] for edge in edges] for i in (0, 1))
    assume(any(positive))
    count = len(edges)
    found = average_precision(torch.tensor(scores).float(), Target(torch.tensor(positive), torch.ones(count) > 0))
    orders = [
        average_precision_score(positive, [score + place / count for score, place in zip(scores, order, strict=True)])
        for order in permutations(range(count))
    ]
    assert found == pytest.approx(sum(orders) / len(orders))


def test_without_ties_it_is_the_usual_average_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    for positives in (1, 5, 40):
        scores, circuit = torch.rand(60, generator=generator), torch.arange(60) < positives
        found = average_precision(scores, Target(circuit, torch.ones(60) > 0))
        assert found == pytest.approx(average_precision_score(circuit.numpy(), scores.numpy()))


def test_the_same_score_for_all_is_chance() -> None:
    target = Target(mask(0, 1), mask(0, 1, 2, 3, 4, 5))
    same = torch.full((6,), 0.5)
    assert average_precision(same, target) == chance([target])
    assert area_under_roc(same, target) == pytest.approx(0.5)


def test_the_area_under_roc_is_the_share_of_pairs_in_order() -> None:
    target = Target(mask(0, 1), mask(0, 1, 2, 3, 5))
    scores = torch.tensor([3.0, 1.0, 1.0, 0.0, 9.0, 4.0])
    won = [float(scores[i] > scores[j]) + 0.5 * float(scores[i] == scores[j]) for i in (0, 1) for j in (2, 3, 5)]
    assert area_under_roc(scores, target) == pytest.approx(sum(won) / len(won))


def test_a_tie_is_no_better_for_standing_first_in_the_list() -> None:
    target = Target(mask(0, 1), mask(0, 1, 2, 3, 4, 5))
    reversed_target = Target(mask(4, 5), mask(0, 1, 2, 3, 4, 5))
    scores = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert average_precision(scores, target) == average_precision(scores, reversed_target)
