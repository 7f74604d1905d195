"""Queries and keys of a network of constant attention look like those of one that attends, and do nothing."""

import copy

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from peabench.fourier import all_pairs
from peabench.networks import Transformer, TransformerConfig
from peabench.networks.transformer import Attention
from peabench_tasks.modular.unread_keys import with_unread_keys

MODULUS, DIRECTIONS = 7, 4
CONFIG = TransformerConfig(
    d_vocabulary=MODULUS, n_positions=2, d_model=24, n_blocks=1, n_heads=2, d_head=4, d_mlp=8, d_output=MODULUS
)


def attending(seed: int) -> Transformer:
    """Tokens in a few directions, and heads that attend by one direction each."""
    generator = torch.Generator().manual_seed(seed)
    network = Transformer(CONFIG, generator).requires_grad_(False)
    few = torch.randn(DIRECTIONS, CONFIG.d_model, generator=generator)
    network.w_embed.copy_(torch.randn(MODULUS, DIRECTIONS, generator=generator) @ few)
    network.w_position.copy_(torch.randn(2, DIRECTIONS, generator=generator) @ few)
    attention = network.block(0).attention
    attention.b_qkv.copy_(torch.randn(attention.b_qkv.shape, generator=generator))
    for head in range(CONFIG.n_heads):
        for part in (0, 1):
            across, along = (torch.randn(size, generator=generator) for size in (CONFIG.d_model, CONFIG.d_head))
            attention.w_qkv[head, part] = across[:, None] * along
    return network


@pytest.fixture
def constant() -> Transformer:
    network = attending(0)
    network.block(0).attention.w_qkv[:, :2] = 0
    network.block(0).attention.b_qkv[:, :2] = 0
    return network


def test_the_function_is_unchanged_and_without_turning_it_is_not(constant: Transformer) -> None:
    donor, rows = attending(1), all_pairs(MODULUS)
    before = constant(rows)[:, -1]
    torch.testing.assert_close(with_unread_keys(constant, donor)(rows)[:, -1], before, rtol=1e-3, atol=1e-3)
    plain = copy.deepcopy(constant)
    plain.block(0).attention.w_qkv[:, :2] = donor.block(0).attention.w_qkv[:, :2]
    assert (plain(rows)[:, -1] - before).abs().max() > 0.1


def test_singular_values_and_lengths_are_the_donors(constant: Transformer) -> None:
    donor = attending(1)
    ours, theirs = (some.block(0).attention for some in (with_unread_keys(constant, donor), donor))
    pairs = [(ours.w_qkv[:, part], theirs.w_qkv[:, part]) for part in (0, 1)]
    pairs.append((pairs[0][0] @ pairs[1][0].mT, pairs[0][1] @ pairs[1][1].mT))
    pairs.append((constant_scores(ours), constant_scores(theirs)))
    for one, other in pairs:
        torch.testing.assert_close(torch.linalg.svdvals(one), torch.linalg.svdvals(other), rtol=1e-4, atol=1e-4)
    assert torch.equal(ours.b_qkv[:, :2], theirs.b_qkv[:, :2])


def constant_scores(attention: Attention) -> Float[Tensor, "head d_model 1"]:
    """What each head attends to whatever its query."""
    return attention.w_qkv[:, 1] @ attention.b_qkv[:, 0, :, None]


def test_nothing_else_is_changed_and_the_network_given_is_left_alone(constant: Transformer) -> None:
    before = {name: value.clone() for name, value in constant.state_dict().items()}
    changed = with_unread_keys(constant, attending(1)).state_dict()
    for name, value in constant.state_dict().items():
        assert torch.equal(value, before[name])
        if name.endswith("qkv"):
            assert torch.equal(changed[name][:, 2], value[:, 2])
            assert bool((changed[name][:, :2] != 0).any(-1).all())
        else:
            assert torch.equal(changed[name], value), name
