"""Matching features one to one, against brute force and scikit-learn."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from peabench.tracks.feature_matching import Matching, match, pair_quality
from peabench.true_features import Contributions


def drawn(members: int, seed: int, features: list[int] | None = None) -> Contributions:
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(members, 5, generator=generator, dtype=torch.float64)
    activations = torch.randn(64, members, generator=generator, dtype=torch.float64).relu()
    numbers = torch.arange(members) if features is None else torch.tensor(features)
    return Contributions(directions, activations, numbers)


def added(side: Contributions, feature: int) -> torch.Tensor:
    """What a feature adds to the activations, less its mean, as one long vector."""
    some = side.features == feature
    whole = side.activations[:, some] @ side.directions[some]
    return (whole - whole.mean(0)).flatten()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_quality_is_the_cosine_of_what_is_added(seed: int) -> None:
    truth, answer = drawn(4, seed, [0, 0, 1, 2]), drawn(5, seed + 1, [0, 1, 1, 1, 2])
    found = pair_quality(truth, answer)
    for i in range(3):
        for j in range(3):
            expected = torch.nn.functional.cosine_similarity(added(truth, i), added(answer, j), dim=0).clamp(min=0)
            assert float(found[i, j]) == pytest.approx(float(expected), abs=1e-6)


def test_of_one_dimension_it_is_correlation_times_cosine() -> None:
    truth, answer = drawn(3, 0), drawn(4, 1)
    firing = np.corrcoef(truth.activations.T, answer.activations.T)[:3, 3:]
    unit = [torch.nn.functional.normalize(side.directions, dim=1) for side in (truth, answer)]
    expected = torch.from_numpy(firing) * (unit[0] @ unit[1].T)
    assert torch.allclose(pair_quality(truth, answer), expected.clamp(min=0), atol=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_no_other_matching_is_better(seed: int, features: int, latents: int) -> None:
    quality = torch.rand(features, latents, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = match(quality)
    wide = quality if features <= latents else quality.T
    best = max(
        sum(float(wide[i, j]) for i, j in enumerate(order)) for order in permutations(range(wide.shape[1]), len(wide))
    )
    assert float(found.matched.sum()) == pytest.approx(best)
    taken = found.answered[found.answered >= 0].tolist()
    assert len(set(taken)) == len(taken) == min(features, latents)


def test_both_sides_are_counted() -> None:
    matching = Matching(torch.zeros(4, 3), torch.tensor([0, 1, 2, -1]), torch.tensor([1.0, 0.5, 0.5, 0.0]))
    assert list(matching.agreement()) == pytest.approx([1 / 2, 2 / 3, 4 / 7])
    assert list(matching.agreement(free=2)) == pytest.approx([3 / 4, 3 / 5, 2 / 3])


def test_five_hundred_features_are_matched_with_two_thousand_latents() -> None:
    generator = torch.Generator().manual_seed(0)
    fires = (torch.rand(4096, 512, generator=generator) < 0.02).float()
    directions = torch.randn(512, 96, generator=generator)
    truth = Contributions(directions, fires, torch.arange(512))
    noisy = torch.cat([directions + 0.1 * torch.randn(512, 96, generator=generator)] * 4)
    answer = Contributions(noisy, fires.repeat(1, 4), torch.arange(2048))
    matching = match(pair_quality(truth, answer))
    assert float(matching.matched.mean()) > 0.98
    assert set((matching.answered % 512).tolist()) == set(range(512))
