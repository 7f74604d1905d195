"""A gauge changes the weights and not the function."""

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from peabench.errors import PeabenchError
from peabench.interventions import run_with_cache
from peabench.mechanism import Alignment, Boolean, CausalModel, Location, Mechanism, TensorReference, Variable
from peabench.networks import ResidualMLPConfig, Transformer, TransformerConfig, build_network
from peabench.networks.config import NetworkConfig
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.networks.network import Network


def with_random_everything(config: NetworkConfig, generator: torch.Generator) -> Network:
    """A network none of whose parameters (biases, gains) is left at its trivial initial value."""
    network = build_network(config, generator).requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


residual_mlps = st.builds(
    ResidualMLPConfig,
    n_inputs=st.integers(1, 6),
    d_model=st.integers(1, 12),
    n_blocks=st.integers(1, 4),
    n_units=st.integers(1, 3),
    d_hidden=st.integers(1, 6),
    d_output=st.integers(1, 3),
    activation=st.sampled_from(["relu", "square", "bilinear"]),
)
transformers = st.builds(
    TransformerConfig,
    d_vocabulary=st.just(5),
    n_positions=st.integers(1, 4),
    d_model=st.integers(2, 12),
    n_blocks=st.integers(1, 3),
    n_heads=st.integers(1, 3),
    d_head=st.integers(1, 4),
    d_mlp=st.sampled_from([0, 6]),
    causal=st.booleans(),
    norm=st.sampled_from(["none", "rms", "layer"]),
    activation=st.sampled_from(["relu", "gelu"]),
    d_output=st.integers(1, 4),
)


def some_inputs(network: Network, generator: torch.Generator) -> torch.Tensor:
    config = network.config
    if isinstance(network, Transformer):
        return torch.randint(config.d_vocabulary, (16, config.n_positions), generator=generator)
    return torch.randint(2, (16, config.n_inputs), generator=generator)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(config=residual_mlps | transformers, seed=st.integers(0, 2**31))
def test_outputs_stay_and_the_residual_stream_turns_with_the_rotation(config: NetworkConfig, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    network = with_random_everything(config, generator)
    changed, rotation = random_gauge(network, generator)
    inputs = some_inputs(network, generator)
    before, after = run_with_cache(network, inputs), run_with_cache(changed, inputs)
    scale = max(1.0, float(before.stage_inputs.abs().max()), float(before.logits.abs().max()))
    assert float((after.logits - before.logits).abs().max()) <= 1e-5 * scale
    turned = before.stage_inputs if rotation is None else before.stage_inputs @ rotation
    assert float((after.stage_inputs - turned).abs().max()) <= 1e-5 * scale
    assert (rotation is None) == (getattr(config, "norm", "none") == "layer")
    if rotation is not None:
        assert torch.allclose(rotation @ rotation.T, torch.eye(config.d_model), atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "rms", "layer"])
def test_every_weight_that_has_a_freedom_is_changed(norm: Literal["none", "rms", "layer"]) -> None:
    config = TransformerConfig(
        d_vocabulary=5, n_positions=3, d_model=8, n_blocks=1, n_heads=2, d_head=4, d_mlp=6, norm=norm, d_output=2
    )
    generator = torch.Generator().manual_seed(0)
    network = with_random_everything(config, generator)
    changed, _ = random_gauge(network, generator)
    same = {
        name
        for (name, one), two in zip(network.named_parameters(), changed.parameters(), strict=True)
        if torch.equal(one, two)
    }
    fixed_by_norm = {"w_embed", "w_position", "w_output", "block0.mlp.b_out", "block0.attention.b_o"}
    gains = {name for name, _ in network.named_parameters() if "gain" in name or "shift" in name}
    assert same == {"b_output"} | (fixed_by_norm | gains if norm == "layer" else set())
    assert network.get_parameter("w_embed").data_ptr() != changed.get_parameter("w_embed").data_ptr()


def test_units_keep_their_addresses() -> None:
    generator = torch.Generator().manual_seed(1)
    network = with_random_everything(
        ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=2, n_units=3, d_hidden=5), generator
    )
    changed, rotation = random_gauge(network, generator)
    assert rotation is not None
    inputs = some_inputs(network, generator)
    before, after = run_with_cache(network, inputs), run_with_cache(changed, inputs)
    assert torch.allclose(after.nodes, before.nodes @ rotation, atol=1e-5)


def toy_mechanism(location: Location, tensors: dict[str, torch.Tensor]) -> Mechanism:
    model = CausalModel(variables=(Variable(name="x0", kind=Boolean(), columns=(0,)),), output="x0")
    alignment = Alignment(variable="x0", location=location)
    return Mechanism(provenance="constructed", causal_model=model, alignments=(alignment,)).with_tensors(tensors)


def test_a_basis_turns_so_that_coordinates_stay() -> None:
    generator = torch.Generator().manual_seed(2)
    network = with_random_everything(
        ResidualMLPConfig(n_inputs=3, d_model=6, n_blocks=2, n_units=2, d_hidden=4), generator
    )
    changed, rotation = random_gauge(network, generator)
    assert rotation is not None
    basis = torch.linalg.qr(torch.randn(6, 2, generator=generator)).Q
    mechanism = toy_mechanism(Location(site="resid.1", basis=TensorReference(name="q", shape=(6, 2))), {"q": basis})
    turned = regauge_mechanism(mechanism, rotation)
    reference = turned.alignments[0].location.basis
    assert reference is not None
    inputs = some_inputs(network, generator)
    before, after = run_with_cache(network, inputs), run_with_cache(changed, inputs)
    coordinates = before.stage_inputs[1] @ basis
    assert torch.allclose(after.stage_inputs[1] @ turned.tensor(reference), coordinates, atol=1e-5)
    assert not torch.allclose(after.stage_inputs[1] @ basis, coordinates, atol=1e-2)


def test_neurons_are_refused_because_they_are_permuted() -> None:
    mechanism = toy_mechanism(Location(site="block0.unit1.hidden@0", neurons=(2,)), {})
    with pytest.raises(PeabenchError, match=r"block0\.unit1\.hidden"):
        regauge_mechanism(mechanism, torch.eye(4))
