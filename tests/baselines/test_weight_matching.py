"""Weights are the same in every gauge once they are aligned, and other weights are not."""

from itertools import permutations

import pytest
import torch

from peabench.networks import (
    Network,
    ResidualMLP,
    ResidualMLPConfig,
    Transformer,
    TransformerConfig,
    build_network,
)
from peabench.networks.gauge import random_gauge
from peabench_baselines.universality.aligned_weights import Layer, Weights, weights_of
from peabench_baselines.universality.weight_matching import matched_parts, weight_similarity

MLP = ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=2, n_units=2, d_hidden=5)
SQUARES = MLP.model_copy(update={"activation": "square"})
RMS = TransformerConfig(
    d_vocabulary=7, n_positions=3, d_model=8, n_blocks=2, n_heads=2, d_head=4, d_mlp=10, norm="rms", d_output=7
)
LAYER_NORM = RMS.model_copy(update={"norm": "layer", "activation": "gelu"})


def network(config: ResidualMLPConfig | TransformerConfig, seed: int = 0) -> Network:
    generator = torch.Generator().manual_seed(seed)
    made = build_network(config, generator)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return made.requires_grad_(False)


@pytest.mark.parametrize("config", [MLP, SQUARES, RMS, LAYER_NORM])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_regauged_copy_has_the_same_weights(config: ResidualMLPConfig | TransformerConfig, seed: int) -> None:
    made = network(config)
    copy, _ = random_gauge(made, torch.Generator().manual_seed(seed))
    assert weight_similarity(weights_of(made), weights_of(copy)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("config", [MLP, RMS])
def test_another_seed_has_others_and_no_gauge_of_it_changes_by_how_much(
    config: ResidualMLPConfig | TransformerConfig,
) -> None:
    one, other = network(config), network(config, seed=1)
    copy, _ = random_gauge(other, torch.Generator().manual_seed(0))
    found = weight_similarity(weights_of(one), weights_of(other))
    assert found < 0.9
    assert weight_similarity(weights_of(one), weights_of(copy)) == pytest.approx(found, abs=0.02)


def test_units_whose_neurons_are_exchanged_are_the_same() -> None:
    made, exchanged = network(MLP), network(MLP)
    assert isinstance(exchanged, ResidualMLP)
    for weight in (exchanged.block(0).w_in, exchanged.block(0).b_in, exchanged.block(0).w_out):
        weight.copy_(weight.flip(0))
    assert weight_similarity(weights_of(made), weights_of(exchanged)) == pytest.approx(1, abs=1e-5)


def test_a_sign_of_one_bias_is_seen() -> None:
    made, changed = network(MLP), network(MLP)
    assert isinstance(changed, ResidualMLP)
    changed.block(0).b_in[0, 0] += 1
    assert weight_similarity(weights_of(made), weights_of(changed)) < 0.999


def test_parts_are_matched_as_well_as_any_order_matches_them() -> None:
    generator = torch.Generator().manual_seed(0)

    def layer() -> Layer:
        return Layer(*(torch.randn(*shape, generator=generator) for shape in ((4, 1), (4, 2, 3), (4, 1, 3, 3))))

    one, other = layer(), layer()
    rows, columns = matched_parts(one, other)
    best = max(float((one.flat[list(order)] * other.flat).sum()) for order in permutations(range(4)))
    assert float((one.flat[rows] * other.flat[columns]).sum()) == pytest.approx(best)


def test_every_number_of_the_network_is_seen() -> None:
    """Changing any parameter but the logits' offset and the keys' bias, which moves all of a query's scores alike."""
    made = network(RMS)
    before = weights_of(made)

    def same(one: Weights, other: Weights) -> bool:
        layers = zip(one.layers, other.layers, strict=True)
        return torch.equal(one.ends, other.ends) and all(torch.equal(a.flat, b.flat) for a, b in layers)

    parts = {name: parameter for name, parameter in made.named_parameters() if "qkv" not in name}
    for name, parameter in made.named_parameters():
        if "qkv" in name:
            parts |= {f"{name}.{port}": parameter[:, i] for i, port in enumerate("qkv")}
    for name, part in parts.items():
        kept = part.clone()
        part.mul_(1 + torch.rand(part.shape, generator=torch.Generator().manual_seed(3)))
        assert same(before, weights_of(made)) == (name.endswith("b_qkv.k") or name == "b_output"), name
        part.copy_(kept)
    assert same(before, weights_of(made))


def test_biases_that_compute_the_same_are_the_same() -> None:
    made, moved = network(RMS), network(RMS)
    assert isinstance(moved, Transformer)
    attention = moved.block(1).attention
    attention.b_o.add_(torch.einsum("he,hed->d", attention.b_qkv[:, 2], attention.w_o))
    attention.b_qkv[:, 1:] = 0
    inputs = torch.arange(6).view(2, 3)
    torch.testing.assert_close(moved(inputs), made(inputs))
    assert weight_similarity(weights_of(made), weights_of(moved)) == pytest.approx(1, abs=1e-6)
