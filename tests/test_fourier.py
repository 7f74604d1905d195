"""Frequencies of functions on the integers modulo n, against definitions that are written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from peabench.fourier import (
    all_pairs,
    closed_form,
    distance_irrelevance,
    embedded,
    explained,
    gradient_symmetricity,
    kept,
    logits_after,
    single_frequency_share,
    sums,
)
from peabench.networks import Transformer, TransformerConfig

MODULUS = 5
CONFIG = TransformerConfig(
    d_vocabulary=MODULUS, n_positions=2, d_model=6, n_blocks=1, n_heads=2, d_head=3, d_mlp=7, d_output=MODULUS
)


def random_grid(modulus: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(modulus, modulus, 3, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(modulus=st.integers(2, 9), seed=st.integers(0, 100))
def test_what_is_kept_and_what_is_left_add_up_and_keeping_twice_changes_nothing(modulus: int, seed: int) -> None:
    grid = random_grid(modulus, seed)
    everything = range(1, modulus // 2 + 1)
    torch.testing.assert_close(kept(grid, everything), grid)
    some = list(everything)[::2]
    once = kept(grid, some)
    torch.testing.assert_close(kept(once, some), once)
    torch.testing.assert_close(kept(grid, ()), grid.mean((0, 1)).expand_as(grid))


def test_sums_and_differences_are_those_of_integers() -> None:
    for first, second in all_pairs(MODULUS).tolist():
        assert sums(MODULUS, 1)[first, second] == (first + second) % MODULUS
        assert sums(MODULUS, -1)[first, second] == (first - second) % MODULUS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("modulus", [7, 8])
def test_a_closed_form_is_explained_by_itself_and_by_no_other_frequency(modulus: int, sign: int) -> None:
    amplitudes = torch.tensor([2.0, 0.5]).double().view(2, 1, 1, 1)
    for form in ("clock", "pizza"):
        logits = (amplitudes * closed_form(modulus, (1, 3), form, sign)).sum(0)  # type: ignore[arg-type]  # both are forms
        found, share = explained(logits.float(), closed_form(modulus, (1, 3), form, sign))  # type: ignore[arg-type]
        assert share == pytest.approx(1, abs=1e-6)
        assert found == pytest.approx([2.0, 0.5], abs=1e-4)
    clock = closed_form(modulus, (1, 3), "clock", sign).sum(0)
    assert explained(clock, closed_form(modulus, (2,), "clock", sign))[1] == pytest.approx(0, abs=1e-9)


def test_the_correct_logit_of_a_pizza_depends_on_the_distance_alone_and_that_of_a_clock_on_nothing() -> None:
    assert distance_irrelevance(closed_form(7, (1, 2), "pizza", 1).sum(0)) == pytest.approx(0, abs=1e-6)
    noise = torch.randn(7, 7, 7, generator=torch.Generator().manual_seed(0)).double()
    assert distance_irrelevance(closed_form(7, (1, 2), "clock", 1).sum(0) + 0.01 * noise) > 0.8


@pytest.mark.parametrize("sign", [1, -1])
def test_distance_irrelevance_is_the_definition(sign: int) -> None:
    logits = torch.randn(MODULUS, MODULUS, MODULUS, generator=torch.Generator().manual_seed(1)).double()
    correct = {(a, b): float(logits[a, b, (a + sign * b) % MODULUS]) for a in range(MODULUS) for b in range(MODULUS)}
    spreads = []
    for distance in range(MODULUS):
        values = [v for (a, b), v in correct.items() if (a - sign * b) % MODULUS == distance]
        spreads.append(torch.tensor(values).std().item())
    expected = sum(spreads) / MODULUS / torch.tensor(list(correct.values())).std().item()
    assert distance_irrelevance(logits, sign) == pytest.approx(expected, rel=1e-5)


def test_gradient_symmetricity_is_the_mean_cosine_over_all_triples() -> None:
    network = Transformer(CONFIG, torch.Generator().manual_seed(2)).requires_grad_(False)
    cosines = []
    for row in all_pairs(MODULUS):
        nodes = network.embedding_nodes(row[None]).clone().requires_grad_()
        resid = network.start(nodes)
        for stage in range(2):
            resid = network.stage_sum(stage, resid)
        for logit in network.unembed(resid)[0, -1]:
            (gradient,) = torch.autograd.grad(logit, nodes, retain_graph=True)
            one, two = gradient[0, 0]
            cosines.append(float(one @ two / (one.norm() * two.norm())))
    found = gradient_symmetricity(network, MODULUS)
    assert found == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)
    with torch.inference_mode():
        assert gradient_symmetricity(network, MODULUS) == pytest.approx(found)


def test_logits_after_the_own_embedding_are_the_networks() -> None:
    network = Transformer(CONFIG, torch.Generator().manual_seed(3)).requires_grad_(False)
    own = logits_after(network, embedded(network, MODULUS))
    torch.testing.assert_close(own.flatten(0, 1), network(all_pairs(MODULUS))[:, -1])


def test_a_neuron_of_one_frequency_is_explained_by_it() -> None:
    angle = 2 * math.pi * torch.arange(7.0) / 7
    pure = (torch.cos(2 * angle)[:, None] + torch.sin(2 * angle) + 1).relu()
    mixed = torch.cos(angle)[:, None] + torch.cos(2 * angle)
    shares = single_frequency_share(
        torch.stack([torch.cos(2 * angle)[:, None] * torch.cos(2 * angle), mixed], -1), (1, 2)
    )
    assert shares[:, 0].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert shares[:, 1].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    assert float(single_frequency_share(pure[..., None], (2,))) < 1
