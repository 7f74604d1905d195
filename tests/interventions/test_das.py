"""DAS against a plain training loop: a hook, a full forward pass each step, torch's own Adam."""

import pytest
import torch
import torch.nn.functional as F
from brute_force import agree, forward_edited, node_outputs
from random_networks import inputs_of, network_of

from peabench.errors import PeabenchError
from peabench.interventions import run_with_cache, train_das
from peabench.networks import NetworkConfig, ResidualMLPConfig, TransformerConfig

MLP = ResidualMLPConfig(n_inputs=4, d_model=12, n_blocks=3, n_units=3, d_hidden=5)
TRANSFORMER = TransformerConfig(
    d_vocabulary=7, n_positions=5, d_model=12, n_blocks=2, n_heads=2, d_head=4, d_mlp=16, norm="layer", d_output=3
)
CASES = [
    (MLP, "resid.1@0"),
    (MLP, "block0.unit1@0"),
    (MLP, "resid.3@0"),
    (TRANSFORMER, "resid.0@2"),
    (TRANSFORMER, "block0.mlp@1"),
    (TRANSFORMER, "block1.head0@4"),
    (TRANSFORMER, "resid.1@*"),
]


@pytest.mark.parametrize(("config", "site"), CASES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("k", [1, 2])
def test_training_agrees_with_a_plain_loop(config: NetworkConfig, site: str, k: int) -> None:
    network = network_of(config, 0)
    base, source = inputs_of(network, 24, 0), inputs_of(network, 24, 1)
    targets = torch.randint(0, max(2, config.d_output), (24,), generator=torch.Generator().manual_seed(2))
    start = torch.randn(2, 12, k, generator=torch.Generator().manual_seed(3))
    runs = run_with_cache(network, base), run_with_cache(network, source)
    found = train_das(network, *runs, site, targets, start=start, steps=12, batch_size=10, learning_rate=0.01)
    place, position = site.split("@")
    where = slice(None) if position == "*" else slice(int(position), int(position) + 1)
    theirs = node_outputs(network, source)[place]
    for seed in range(2):
        weights = start[seed].clone().requires_grad_()
        optimiser = torch.optim.Adam([weights], lr=0.01)
        for step in range(12):
            index = torch.arange(step * 10, step * 10 + 10) % 24
            basis = torch.linalg.qr(weights).Q

            def edit(output: torch.Tensor, index: torch.Tensor = index, basis: torch.Tensor = basis) -> torch.Tensor:
                output = output.clone()
                output[:, where] += (theirs[index] - output)[:, where] @ basis @ basis.T
                return output

            logits = forward_edited(network, base[index], place, edit)[:, -1]
            if config.d_output == 1:
                loss = F.binary_cross_entropy_with_logits(logits[:, 0], targets[index].float())
            else:
                loss = F.cross_entropy(logits, targets[index])
            agree(found.losses[step, seed], loss.detach())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        basis = torch.linalg.qr(weights.detach()).Q
        torch.testing.assert_close(found.bases[seed] @ found.bases[seed].T, basis @ basis.T, rtol=0, atol=1e-4)


def test_only_the_part_above_the_site_is_counted() -> None:
    network = network_of(MLP, 0)
    run = run_with_cache(network, inputs_of(network, 16, 0))
    network.meter.reset()
    train_das(network, run, run, "resid.2@0", torch.zeros(16, dtype=torch.long), start=torch.randn(3, 12, 1), steps=2)
    assert network.meter.forward == pytest.approx(2 * 3 * 128 / 3)
    assert network.meter.backward == pytest.approx(2 * 3 * 128 / 3)


def test_a_site_that_cannot_reach_the_output_is_an_error() -> None:
    network = network_of(TRANSFORMER, 0)
    run = run_with_cache(network, inputs_of(network, 4, 0))
    with pytest.raises(PeabenchError, match=r"block1\.mlp@0"):
        train_das(network, run, run, "block1.mlp@0", torch.zeros(4, dtype=torch.long), start=torch.randn(1, 12, 1))
