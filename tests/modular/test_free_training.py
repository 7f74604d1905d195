"""Training on all pairs at once gives the networks' own logits, keeps what it should, and goes on where it stopped."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from peabench.fourier import all_pairs, sums
from peabench.networks import Network, ResidualMLPConfig, TransformerConfig, build_network
from peabench_tasks.modular import free_training
from peabench_tasks.modular.free_training import Recipe, pairs_shown, start, train_freely, trained
from peabench_tasks.modular.grid import grid_logits, stacked

MODULUS = 5
TRANSFORMER = TransformerConfig(
    d_vocabulary=MODULUS, n_positions=2, d_model=6, n_blocks=1, n_heads=2, d_head=3, d_mlp=8, d_output=MODULUS
)
WORDS = ((0, MODULUS), (MODULUS, MODULUS))
SQUARES = ResidualMLPConfig(
    n_inputs=2,
    d_model=6,
    n_blocks=1,
    n_units=1,
    d_hidden=8,
    d_output=MODULUS,
    words=WORDS,
    activation="square",
)
CONFIGS = [TRANSFORMER, SQUARES, SQUARES.model_copy(update={"activation": "relu"})]
RECIPE = Recipe(steps=12, rate=1e-2, decay=0.1, objective="cross_entropy", share=0.8)


def anything(config: TransformerConfig | ResidualMLPConfig, seed: int) -> Network:
    """A network with no parameter at its trivial initial value."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(config, generator).requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network


@pytest.mark.parametrize("config", CONFIGS)
def test_logits_on_the_grid_are_those_of_the_networks(config: TransformerConfig | ResidualMLPConfig) -> None:
    networks = [anything(config, seed) for seed in range(3)]
    grids = grid_logits(config, stacked(networks))
    for network, grid in zip(networks, grids, strict=True):
        torch.testing.assert_close(grid.flatten(0, 1), network(all_pairs(MODULUS))[:, -1], rtol=1e-4, atol=1e-5)


def test_a_training_that_was_stopped_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_freely(TRANSFORMER, 1, [0, 1], RECIPE, tmp_path / "whole.safetensors")
    monkeypatch.setattr(free_training, "SAVE_EVERY", 4)

    class Stopped(Exception):
        pass

    save, calls = free_training._save, list[int]()

    def save_and_stop(state: Path, done: int, *others: object) -> None:
        save(state, done, *others)  # type: ignore[arg-type]  # passed on
        calls.append(done)
        if done == 8:
            raise Stopped

    monkeypatch.setattr(free_training, "_save", save_and_stop)
    with pytest.raises(Stopped):
        train_freely(TRANSFORMER, 1, [0, 1], RECIPE, tmp_path / "parts.safetensors")
    resumed = train_freely(TRANSFORMER, 1, [0, 1], RECIPE, tmp_path / "parts.safetensors")
    assert calls == [4, 8, 12]
    for part in ("networks", "halfway"):
        for one, other in zip(getattr(whole, part), getattr(resumed, part), strict=True):
            for name, value in one.state_dict().items():
                torch.testing.assert_close(value, other.state_dict()[name], msg=name)


def test_constant_attention_stays_constant_and_the_rest_is_trained(tmp_path: Path) -> None:
    recipe = Recipe(12, 1e-2, 0.1, "cross_entropy", 0.8, constant_attention=True)
    before = start(TRANSFORMER, 0, recipe)
    (after,) = train_freely(TRANSFORMER, 1, [0], recipe, tmp_path / "state.safetensors").networks
    weights = dict(after.named_parameters())
    assert weights["block0.attention.w_qkv"][:, :2].abs().max() == 0
    assert weights["block0.attention.b_qkv"][:, :2].abs().max() == 0
    for name, value in before.named_parameters():
        if name.endswith(("w_qkv", "w_in", "w_embed")):
            assert not torch.equal(value, weights[name]), name


def test_squares_have_no_biases(tmp_path: Path) -> None:
    (after,) = train_freely(SQUARES, -1, [0], RECIPE, tmp_path / "state.safetensors").networks
    biases = {name: value for name, value in after.named_parameters() if not trained(SQUARES, name)}
    assert set(biases) == {"b_embed", "block0.b_in", "b_output"}
    assert all(float(value.abs().max()) == 0 for value in biases.values())


def test_pairs_that_are_not_shown_have_no_gradient() -> None:
    shown = pairs_shown(MODULUS, 3, 0.8)
    logits = torch.randn(1, MODULUS, MODULUS, MODULUS, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for objective in ("cross_entropy", "squared_error"):
        loss = free_training.objective(logits, sums(MODULUS, 1), shown[None], Recipe(1, 1.0, 0.0, objective, 0.8))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.equal(gradient[0].abs().sum(-1) > 0, shown > 0)


def test_numbers_are_rounded_as_before_when_training_is_over(tmp_path: Path) -> None:
    train_freely(SQUARES, 1, [0], replace(RECIPE, steps=1), tmp_path / "state.safetensors")
    subnormal = torch.tensor(1e-40)
    assert subnormal * 0.5 > 0
