"""Autoencoders are trained as one by one, chosen on held-out training rows alone, and described in honest bits."""

import math
from dataclasses import replace

import feature_sites
import pytest
import torch
from torch import Tensor

from peabench_baselines.features import dictionary_search
from peabench_baselines.features.batch_top_k_sae import BatchTopKSAE
from peabench_baselines.features.description_length import description_length
from peabench_baselines.features.dictionary import Candidates, Dictionaries, Variant
from peabench_baselines.features.dictionary_search import agreement, search, shortness, unexplained
from peabench_baselines.features.dictionary_training import train
from peabench_baselines.features.jump_relu_sae import JumpReLUSAE
from peabench_baselines.features.l1_sae import L1SAE

VARIANTS = {
    "l1": Variant("relu", (0.1, 0.1)),
    "gated": Variant("relu", (0.1, 0.1), gated=True),
    "top-k": Variant("top-k", (2, 2)),
    "batch-top-k": Variant("batch-top-k", (2, 2)),
    "matryoshka": Variant("batch-top-k", (2, 2), nested=4),
    "jump-relu": Variant("jump-relu", (0.03, 0.03)),
    "matching-pursuit": Variant("matching-pursuit", (2, 2)),
}


def rows(count: int = 2000) -> Tensor:
    stream = feature_sites.question().training[:count]
    return stream / (stream - stream.mean(0)).square().sum(1).mean().sqrt()


def candidates(sparsity: list[float], width: list[int], rate: float = 0.01) -> Candidates:
    return Candidates(torch.tensor(sparsity), torch.tensor(width).float(), torch.full((len(width),), rate))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", VARIANTS)
def test_candidates_trained_together_are_what_each_is_alone(name: str) -> None:
    variant, data = VARIANTS[name], rows()
    settings = candidates([variant.sparsity[0], variant.sparsity[0] * 2], [16, 10])
    settings = replace(settings, learning_rate=torch.tensor([0.01, 0.003]))
    together = Dictionaries(variant, settings, data, data, generator())
    alone = [together.select(torch.tensor([i])) for i in range(2)]
    train(together, data, data, 5, generator(1))
    for i, one in enumerate(alone):
        train(one, data, data, 5, generator(1))
        width = int(settings.width[i])
        torch.testing.assert_close(one.parameters["decoder"][0], together.parameters["decoder"][i, :width])
        torch.testing.assert_close(one.encode(data)[0], together.encode(data)[i, :, :width], atol=1e-4, rtol=1e-3)
        assert not bool(together.encode(data)[i, :, width:].any())


@pytest.mark.parametrize("name", VARIANTS)
def test_training_explains_more_and_keeps_directions_unit_vectors(name: str) -> None:
    variant, data = VARIANTS[name], rows()
    one = Dictionaries(variant, candidates([variant.sparsity[0]], [16]), data, data, generator())
    one.calibrate(data)
    before = float(unexplained(one, data, data))
    train(one, data, data, 60, generator())
    assert float(unexplained(one, data, data)) < 0.8 * before
    torch.testing.assert_close(one.parameters["decoder"].norm(dim=2), torch.ones(1, 16))


def test_as_many_latents_fire_as_each_variant_says() -> None:
    data, settings = rows(), candidates([3.0, 1.0], [16, 16])
    for activation in ("top-k", "matching-pursuit"):
        made = Dictionaries(Variant(activation, (1, 3)), settings, data, data, generator())
        counts = (made.encode(data) > 0).sum(2)
        assert counts.max(1).values.tolist() == [3, 1]
    batch = Dictionaries(Variant("batch-top-k", (1, 3)), settings, data, data, generator())
    batch.calibrate(data)
    assert (batch.encode(data) > 0).sum(2).double().mean(1).tolist() == pytest.approx([3, 1], abs=0.05)
    assert len((batch.encode(data)[0] > 0).sum(1).unique()) > 1


def test_matching_pursuit_takes_off_what_fits_best() -> None:
    data = rows(50)
    made = Dictionaries(Variant("matching-pursuit", (3, 3)), candidates([3.0], [16]), data, data, generator())
    directions, left = made.parameters["decoder"][0], data - made.parameters["bias"][0]
    codes = torch.zeros(50, 16)
    for _ in range(3):
        inner = left @ directions.T
        best = inner.argmax(1)
        value = inner[torch.arange(50), best].clamp(min=0)
        codes[torch.arange(50), best] += value
        left = left - value[:, None] * directions[best]
    torch.testing.assert_close(made.encode(data)[0], codes, atol=1e-4, rtol=1e-4)


def test_a_dearer_price_leaves_fewer_latents_firing() -> None:
    data = rows()
    for variant, prices in ((VARIANTS["l1"], [0.02, 0.3]), (VARIANTS["jump-relu"], [0.003, 0.2])):
        made = Dictionaries(variant, candidates(prices, [16, 16]), data, data, generator())
        train(made, data, data, 60, generator())
        few, fewer = (made.encode(data) > 0).sum(2).double().mean(1).tolist()
        assert fewer < 0.8 * few


def test_bits_are_those_of_a_fair_coin_and_of_gaussian_noise() -> None:
    coin = torch.tensor([[1.0], [0.0]]).repeat(500, 1)
    row = coin @ torch.tensor([[3.0, 4.0]])
    told = description_length(row, coin, row, learnt_from=10**9)
    assert float(told) == pytest.approx(1, abs=1e-4)
    untold = description_length(row, torch.zeros(1000, 1), row.mean(0).expand_as(row), learnt_from=10**9)
    assert float(untold) == pytest.approx(2 * 0.5 * math.log2(1 + 100), abs=0.01)


def test_the_truth_is_shorter_than_other_bases() -> None:
    asked = feature_sites.question()
    right = feature_sites.truth()
    stream = asked.evaluation
    codes = right.activations.float()
    truth = description_length(stream, codes, stream, learnt_from=4096)
    axes = description_length(stream, stream - stream.mean(0), stream, learnt_from=4096)
    doubled = description_length(stream, torch.cat([codes, codes], 1), stream, learnt_from=4096)
    assert float(truth) < float(axes) - 5
    assert float(truth) < float(doubled) - 5


@pytest.mark.parametrize("criterion", [agreement, shortness])
def test_criteria_prefer_the_truth_to_noise(criterion: dictionary_search.Criterion) -> None:
    data = rows(4096)
    made = Dictionaries(Variant("matching-pursuit", (2, 2)), candidates([2.0] * 4, [48] * 4), data, data, generator())
    right = feature_sites.network(*feature_sites.CROWDED).w_embed.detach()
    made.parameters["decoder"][:2] = right
    made.parameters["decoder"][2:] = torch.nn.functional.normalize(torch.randn(2, 48, 32, generator=generator()), dim=2)
    worth = criterion(made, data[:1000], data[:1000], 3000)
    assert float(worth[:2].min()) > float(worth[2:].max())


@pytest.mark.parametrize("method", [L1SAE, BatchTopKSAE, JumpReLUSAE])
def test_the_choice_touches_neither_the_evaluation_inputs_nor_the_truth(
    method: type[L1SAE], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other evaluation inputs give the same directions, and the same firing where the inputs are the same."""
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((5, 2), (5, 1)))
    monkeypatch.setattr(dictionary_search, "SPARSITIES", 2)
    monkeypatch.setattr(dictionary_search, "WIDTHS", 2)
    asked = feature_sites.question()
    others = asked.evaluation.clone()
    others[512:] = others[512:].flip(0)
    chosen = [method().fit(rows(4096), asked.latents, generator(3)) for _ in range(2)]
    assert torch.equal(chosen[0].directions, chosen[1].directions)
    one = method().score(asked)
    two = method().score(replace(feature_sites.question(), evaluation=others))
    shared = min(len(one.directions), len(two.directions))
    torch.testing.assert_close(one.directions[:shared], two.directions[:shared])
    torch.testing.assert_close(one.activations[:512, :shared], two.activations[:512, :shared])


def test_rows_that_are_chosen_by_are_not_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark on the rows shows who sees which of them."""
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((2, 2), (2, 1)))
    data = rows()
    learnt: list[Tensor] = []
    chosen_by: list[Tensor] = []

    def spy_train(made: Dictionaries, inputs: Tensor, targets: Tensor, steps: int, source: torch.Generator) -> None:
        learnt.append(inputs)
        train(made, inputs, targets, steps, source)

    def spy_criterion(made: Dictionaries, inputs: Tensor, targets: Tensor, count: int) -> Tensor:
        chosen_by.append(inputs)
        return agreement(made, inputs, targets, count)

    monkeypatch.setattr(dictionary_search, "train", spy_train)
    marked = data + torch.arange(len(data))[:, None] * 1e-3
    found = search(VARIANTS["top-k"], 16, marked, marked, spy_criterion, generator())
    seen = {tuple(row) for part in learnt for row in part.tolist()}
    held_out = {tuple(row) for part in chosen_by for row in part.tolist()}
    assert len(seen) + len(held_out) == len(data)
    assert not seen & held_out
    assert len(held_out) == 250
    settings = {(trial.sparsity, trial.width) for trial in found.trials}
    assert len(found.trials) == 2 * len(settings) + 4


def test_the_search_is_recorded_and_its_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((20, 6), (10, 2), (5, 1)))
    found = L1SAE().search(rows(), 32, generator())
    last = [trial for trial in found.trials if trial.steps == dictionary_search.ROUNDS[-1][0]]
    best = max(last, key=lambda trial: trial.criterion)
    assert len(last) == 2 * dictionary_search.ROUNDS[-2][1]
    assert found.dictionary.candidates.width.tolist() == [best.width]
    settings = {(trial.sparsity, trial.width) for trial in found.trials}
    assert len(settings) == dictionary_search.SPARSITIES * dictionary_search.WIDTHS


def test_the_settings_are_a_grid_that_is_the_same_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((2, 2), (2, 1)))
    found = [L1SAE().search(rows(512), 32, generator(seed)).trials[:60] for seed in range(2)]
    tried = [[(trial.sparsity, trial.width, trial.learning_rate) for trial in trials] for trials in found]
    assert tried[0] == tried[1]
    assert {width for _, width, _ in tried[0]} == {4, 6, 9, 14, 21, 32}
    assert len({rate for _, _, rate in tried[0]}) == 2
