"""Bilinear units multiply two affine maps, and interaction matrices say all that such a block does with its inputs."""

import json
from itertools import product

import pytest
import torch
from random_networks import inputs_of, network_of

from peabench.errors import PeabenchError
from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP, ResidualMLPConfig, TransformerConfig, build_network
from peabench.networks.config import NetworkConfig
from peabench.networks.end_matrices import residual_mlp_matrices
from peabench.networks.gauge import random_gauge
from peabench.networks.interaction_matrices import interaction_matrices
from peabench.training import StackedResidualMLP

ONE_BLOCK = {
    activation: ResidualMLPConfig(
        n_inputs=5, d_model=6, n_blocks=1, n_units=2, d_hidden=4, d_output=3, activation=activation
    )
    for activation in ("bilinear", "relu")
}


def network(activation: str, seed: int = 0) -> ResidualMLP:
    made = network_of(ONE_BLOCK[activation], seed)
    assert isinstance(made, ResidualMLP)
    return made


def everything() -> torch.Tensor:
    return torch.tensor(list(product((0, 1), repeat=5)))


def stream(some: ResidualMLP, rows: torch.Tensor) -> torch.Tensor:
    return run_with_cache(some, rows).stage_inputs[1][:, 0].double()


def test_a_hidden_neuron_is_the_product_of_two_affine_maps() -> None:
    some, rows = network("bilinear"), everything()
    block = some.block(0)
    before = stream_before = (2.0 * rows - 1) @ some.w_embed + some.b_embed
    for unit in range(2):
        first = before @ block.w_in[unit, :, :4] + block.b_in[unit, :4]
        second = before @ block.w_in[unit, :, 4:] + block.b_in[unit, 4:]
        stream_before = stream_before + (first * second) @ block.w_out[unit]
    torch.testing.assert_close(some(rows)[:, 0], stream_before @ some.w_output + some.b_output)


def test_only_what_is_not_usual_is_written_down() -> None:
    usual = ResidualMLPConfig(n_inputs=5, d_model=6, n_blocks=1, n_units=2, d_hidden=4)
    assert "activation" not in json.loads(usual.model_dump_json())
    written = ONE_BLOCK["bilinear"].model_dump_json()
    assert json.loads(written)["activation"] == "bilinear"
    assert ResidualMLPConfig.model_validate_json(written) == ONE_BLOCK["bilinear"]


def test_the_matrices_of_a_bilinear_block_give_the_stream_on_every_input() -> None:
    some = network("bilinear")
    found = interaction_matrices(some)
    torch.testing.assert_close(found.stream(everything().double()), stream(some, everything()), atol=1e-5, rtol=1e-5)
    assert not bool(found.products.tril().abs().sum(2).tril().any())


def test_they_are_the_products_of_the_weights() -> None:
    """Worked out by hand: of one neuron and inputs i < j, (A_i C_j + A_j C_i) times what the neuron writes."""
    some = network("bilinear")
    block = some.block(0)
    each = 2 * some.w_embed
    expected = torch.zeros(5, 5, 6)
    for unit in range(2):
        first, second = each @ block.w_in[unit, :, :4], each @ block.w_in[unit, :, 4:]
        both = first[:, None] * second[None] + first[None] * second[:, None]
        expected += both @ block.w_out[unit]
    upper = torch.ones(5, 5).triu(1)[..., None]
    torch.testing.assert_close(interaction_matrices(some).products, (expected * upper).double(), atol=1e-5, rtol=1e-5)


def test_those_of_relu_neurons_hold_where_two_inputs_are_on_and_not_beyond() -> None:
    some, rows = network("relu"), everything()
    apart = (interaction_matrices(some).stream(rows.double()) - stream(some, rows)).abs().amax(1)
    few = rows.sum(1) <= 2
    assert float(apart[few].max()) < 1e-5
    assert float(apart[~few].max()) > 0.1


@pytest.mark.parametrize("activation", ONE_BLOCK)
def test_no_gauge_but_a_rotation_of_the_stream_changes_them(activation: str) -> None:
    some = network(activation)
    other, rotation = random_gauge(some, torch.Generator().manual_seed(3))
    assert rotation is not None
    before, after = interaction_matrices(some), interaction_matrices(other)
    for name in ("linear", "products"):
        turned = getattr(before, name) @ rotation.double()
        torch.testing.assert_close(getattr(after, name), turned, atol=1e-5, rtol=1e-5)
    before_output, after_output = (
        matrices.products @ one.w_output.double() for matrices, one in ((before, some), (after, other))
    )
    torch.testing.assert_close(after_output, before_output, atol=1e-5, rtol=1e-5)
    assert float((other.block(0).w_in - some.block(0).w_in).abs().max()) > 0.1


@pytest.mark.parametrize("activation", ONE_BLOCK)
def test_norms_of_what_is_written_and_read_are_those_of_every_gauge(activation: str) -> None:
    some = network(activation)
    other, _ = random_gauge(some, torch.Generator().manual_seed(4))
    for ours, theirs in zip(residual_mlp_matrices(some), residual_mlp_matrices(other), strict=True):
        for one, two in zip(ours, theirs, strict=True):
            assert float(one.norm()) == pytest.approx(float(two.norm()), rel=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        TransformerConfig(d_vocabulary=3, n_positions=2, d_model=4, n_blocks=1, n_heads=1, d_head=2, d_output=2),
        ResidualMLPConfig(n_inputs=2, d_model=4, n_blocks=2, n_units=1, d_hidden=3),
        ResidualMLPConfig(n_inputs=2, d_model=4, n_blocks=1, n_units=1, d_hidden=3, words=((0, 3), (3, 2))),
    ],
)
def test_other_networks_are_refused(config: NetworkConfig) -> None:
    with pytest.raises(PeabenchError, match="one block"):
        interaction_matrices(build_network(config))


def test_training_of_many_at_once_refuses_bilinear_ones() -> None:
    with pytest.raises(PeabenchError, match="relu"):
        StackedResidualMLP.from_networks([network("bilinear")])
    assert inputs_of(network("relu"), 2, 0).shape == (2, 5)
