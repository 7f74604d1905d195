"""Every known way to look better than one is costs."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from graded_features import asked, at_random, graded, score, truth_of
from torch import Tensor

from peabench.tasks import Task
from peabench.tracks import features
from peabench.tracks.feature_matching import Matching, pair_quality


def test_copies_of_one_feature_earn_nothing(independent: Task) -> None:
    truth = truth_of(independent)
    for count in (6, 32):
        copies = torch.zeros(count, dtype=torch.long)
        assert score(independent, truth.directions[copies], truth.activations[:, copies]) < 0.1


def test_copies_would_win_if_many_latents_could_match_one(independent: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def many_to_one(quality: Tensor) -> Matching:
        best = quality.amax(0)
        return Matching(quality, torch.zeros(len(quality), dtype=torch.long), best[: len(quality)])

    truth = truth_of(independent)
    copies = torch.zeros(6, dtype=torch.long)
    monkeypatch.setattr(features, "match", many_to_one)
    assert score(independent, truth.directions[copies], truth.activations[:, copies]) > 0.99


def test_only_the_easy_quarter_earns_less_than_half(crowd: Task) -> None:
    truth = truth_of(crowd)
    metrics = graded(crowd, truth.directions[:5], truth.activations[:, :5])
    assert metrics["score"] < 0.4
    assert (metrics["truth_side"], metrics["answer_side"]) == (0.25, 1)  # a score of precision alone would be 1


def test_latents_that_never_fire_cost(independent: Task) -> None:
    truth = truth_of(independent)
    dead = torch.zeros(4096, 6)
    rows = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    metrics = graded(independent, torch.cat([truth.directions, rows]), torch.cat([truth.activations, dead], 1))
    assert metrics["truth_side"] == 1
    assert metrics["answer_side"] == 0.5
    assert metrics["score"] < 0.7


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e9])
def test_what_always_fires_the_same_matches_nothing(independent: Task, constant: float) -> None:
    truth = truth_of(independent)
    metrics = graded(independent, truth.directions, torch.full_like(truth.activations, constant))
    assert metrics["truth_side"] == metrics["cosine"] == metrics["causal"] == 0
    assert metrics["score"] < 0


def test_identical_activations_earn_nothing(independent: Task) -> None:
    """Every direction is right, and all latents fire alike: once all as one feature, once as the sum of all."""
    truth = truth_of(independent)
    for fired in (truth.activations[:, :1], truth.activations.sum(1, keepdim=True)):
        assert score(independent, truth.directions, fired.expand(-1, 6)) < 0.2


def test_a_decoder_permuted_against_its_firing_falls_far_below(independent: Task, crowd: Task) -> None:
    for some in (independent, crowd):
        truth = truth_of(some)
        permuted = truth.directions.roll(1, 0)
        metrics = graded(some, permuted, truth.activations)
        assert metrics["score"] < 0.15
        assert metrics["causal"] < 0.3


@pytest.mark.parametrize("part", ["directions", "activations"])
def test_without_either_factor_a_permuted_decoder_would_win(
    independent: Task, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the direction and the firing of a pair must be right: take one out, and the attack succeeds."""
    whole = pair_quality

    def half(truth: Any, answer: Any) -> Tensor:
        def bare(side: Any) -> Any:
            if part == "activations":
                return replace(side, directions=torch.ones_like(side.directions))
            latents = side.directions.shape[0]
            return replace(side, activations=torch.eye(4096, 1, dtype=side.directions.dtype).expand(-1, latents))

        return whole(bare(truth), bare(answer))

    truth = truth_of(independent)
    monkeypatch.setattr(features, "pair_quality", half)
    assert graded(independent, truth.directions.roll(1, 0), truth.activations)["truth_side"] > 0.99


def test_hiding_surplus_latents_in_one_subspace_does_not_help(independent: Task) -> None:
    question, truth = asked(independent), truth_of(independent)
    surplus = at_random(question, 10, 0)
    directions = torch.cat([truth.directions, surplus.directions])
    fired = torch.cat([truth.activations, surplus.activations], 1)
    hidden = torch.cat([torch.arange(6), torch.zeros(10, dtype=torch.long)])
    assert score(independent, directions, fired, hidden) < score(independent, truth.directions, truth.activations)
    everything = torch.zeros(6, dtype=torch.long)
    assert score(independent, truth.directions, truth.activations, everything) < 0.2


@pytest.mark.parametrize("members", [2, 4, 16])
def test_random_directions_in_subspaces_earn_nothing(independent: Task, members: int) -> None:
    question = asked(independent)
    answers = [at_random(question, 32, seed) for seed in range(8)]
    numbers = torch.arange(32) // members
    scores = torch.tensor([score(independent, one.directions, one.activations, numbers) for one in answers])
    assert float(scores.mean()) < 3 * float(scores.std()) / len(scores) ** 0.5 + 0.005


def test_members_that_cancel_match_nothing(independent: Task) -> None:
    """What a loud member adds another takes away, but for its rounding, which lies along whatever feature it likes."""
    question = asked(independent)
    stream = (question.evaluation - question.evaluation.mean(0)).double()
    generator = torch.Generator().manual_seed(0)
    numbers = torch.arange(30) // 5
    for _ in range(4):
        loud, faint = torch.randn(2, 6, 8, generator=generator, dtype=torch.float64)
        directions = torch.stack([faint, loud, faint, loud, faint], 1).flatten(0, 1)
        strength = torch.tensor([1, 1e8, 1, -1e8, 1], dtype=torch.float64).repeat(6)
        assert graded(independent, directions, (stream @ directions.T) * strength, numbers)["truth_side"] == 0


def test_no_size_of_numbers_matters(independent: Task, shapes: Task) -> None:
    for task in (independent, shapes):
        truth = truth_of(task)
        for length, strength in ((1e14, 1e14), (1e-14, 1e14), (1e-14, 1e-14)):
            metrics = graded(task, length * truth.directions, strength * truth.activations, truth.subspaces)
            assert metrics["score"] == 1
            assert metrics["firing"] == pytest.approx(1)
            assert -1 <= metrics["causal"] <= 1
