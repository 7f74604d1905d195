"""Many MLPs at once against a loop of ordinary torch training."""

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.training.many import Objective, make_mlp, train_many

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "logistic": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
}


@pytest.fixture
def threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("widths", "objective", "threads"),
    [
        ((32, 64, 1), "mse", 1),
        ((6, 9, 1), "logistic", 2),
        ((8, 16, 12, 3), "cross_entropy", 1),
        ((5, 4), "mse", 1),
    ],
)
@pytest.mark.parametrize("own_targets", [False, True])
def test_many_steps_equal_a_loop(
    threads_restored: None, widths: tuple[int, ...], objective: Objective, threads: int, own_targets: bool
) -> None:
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    networks = [make_mlp(widths, generator) for _ in range(5)]
    alone = copy.deepcopy(networks)
    inputs = torch.randn(50, 64, widths[0], generator=generator)
    targets = torch.rand(50, 2 if own_targets else 1, 64, widths[-1], generator=generator)
    targets = (targets < 0.5).float() if objective == "logistic" else targets.softmax(-1)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return inputs[step], targets[step]

    shares: list[float] = []
    chosen = networks[:4]
    losses = train_many(
        chosen, batch, steps=50, learning_rate=3e-3, objective=objective, group=2, progress=shares.append
    )
    assert shares == [0.5, 1.0]
    assert torch.get_num_threads() == threads
    for number, network in enumerate(alone[:4]):
        optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
        for step in range(50):
            loss = LOSSES[objective](network(inputs[step]), targets[step, number % targets.shape[1]])
            assert losses[step, number].item() == pytest.approx(loss.item(), abs=1e-5)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for ours, theirs in zip(networks[number].parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_networks_of_different_shapes_are_an_error() -> None:
    networks = [make_mlp((3, 4, 1)), make_mlp((3, 5, 1))]
    with pytest.raises(PeabenchError, match="one shape"):
        train_many(networks, lambda _: (torch.zeros(1, 3), torch.zeros(1, 1, 1)), steps=1, learning_rate=0.1)


def test_what_goes_wrong_in_a_thread_comes_out(threads_restored: None) -> None:
    torch.set_num_threads(2)
    networks = [make_mlp((3, 4, 1)) for _ in range(2)]

    def batch(_step: int) -> tuple[Tensor, Tensor]:
        raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        train_many(networks, batch, steps=1, learning_rate=0.1, group=1)
    assert torch.get_num_threads() == 2
