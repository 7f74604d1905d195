"""What the rows without a peer are measured against: plain loops anyone would write."""

import torch
import torch.nn.functional as F
import workload
from torch import Tensor, nn
from workload import Data

from peabench.training.many import make_mlp, train_many

MLPS, MLP_WIDTHS, MLP_STEPS, MLP_ROWS = 64, (32, 64, 1), 500, 256


def mlp_data(steps: int) -> tuple[Tensor, Tensor]:
    """Inputs [step, row, 32] and targets [step, 1, row, 1]."""
    inputs = torch.randn(steps, MLP_ROWS, MLP_WIDTHS[0], generator=torch.Generator().manual_seed(0))
    return inputs, inputs[..., :4].sum(-1, keepdim=True).sin()[:, None]


def mlps(count: int) -> list[nn.Sequential]:
    """Freshly initialised MLPs."""
    generator = torch.Generator().manual_seed(1)
    return [make_mlp(MLP_WIDTHS, generator) for _ in range(count)]


def many(count: int, steps: int = MLP_STEPS) -> Tensor:
    """All at once: the last losses."""
    inputs, targets = mlp_data(steps)
    losses = train_many(mlps(count), lambda step: (inputs[step], targets[step]), steps=steps, learning_rate=1e-2)
    return losses[-1]


def one_by_one(count: int, steps: int = MLP_STEPS) -> Tensor:
    """One after another, in ordinary torch."""
    inputs, targets = mlp_data(steps)
    losses = []
    for network in mlps(count):
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
        for step in range(steps):
            optimiser.zero_grad()
            loss = F.mse_loss(network(inputs[step]), targets[step, 0])
            loss.backward()
            optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def hooked_das(model: workload.Plain, base: Tensor, source: Tensor, targets: Tensor, start: Tensor) -> Tensor:
    """One-dimensional DAS with a forward hook and a whole forward pass at every step: its losses."""
    block = model.blocks[0]
    assert isinstance(block, workload.Block)
    kept: list[Tensor] = []
    with torch.no_grad():
        handle = block.mlp.register_forward_hook(lambda _m, _i, out: kept.append(out[:, workload.DAS_POSITION]))
        model(source)
        handle.remove()
    weights = start[0].clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=workload.DAS_RATE)
    losses = []
    for step in range(workload.DAS_STEPS):
        index = torch.arange(step * workload.DAS_BATCH, (step + 1) * workload.DAS_BATCH) % len(base)
        basis = weights / weights.norm()

        def patch(_m: nn.Module, _i: object, out: Tensor, index: Tensor = index, basis: Tensor = basis) -> Tensor:
            out = out.clone()
            own = out[:, workload.DAS_POSITION]
            out[:, workload.DAS_POSITION] = own + ((kept[0][index] - own) @ basis) @ basis.T
            return out

        handle = block.mlp.register_forward_hook(patch)
        loss = F.cross_entropy(model(base[index])[:, -1], targets[index])
        handle.remove()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def compare() -> None:
    """Rows against loops, written to the JSON file that is the only argument."""
    import ours
    from interleaved import Comparison

    network = workload.network()
    model = workload.plain(network)
    hooks = Comparison("hand-written hooks, torch", "torch")
    for rows in ours.BATCHES:
        data = Data(rows)
        for look, positions in ours.LOOKS:
            hooks.row(
                f"120 sites, batch {rows}, {look}",
                lambda data=data, positions=positions: ours.sites(network, data, positions),  # type: ignore[misc]
                lambda data=data, positions=positions: workload.hook_sweep(  # type: ignore[misc]
                    model, data, workload.SITES, positions
                ),
                5,
            )
        hooks.row(
            f"live sites, batch {rows}",
            lambda data=data: ours.live(network, data),  # type: ignore[misc]
            lambda data=data: workload.hook_sweep(model, data, workload.LIVE_SITES, (-1,)),  # type: ignore[misc]
            5,
        )
    base, source, targets = workload.das_data(network)
    for seeds, name in ((1, "DAS, 300 steps"), (16, "DAS, 300 steps, 16 seeds at once against one after another")):
        start = torch.randn(seeds, workload.WIDTH, 1, generator=torch.Generator().manual_seed(0))
        hooks.row(
            name,
            lambda start=start: ours.das(network, start)[:, 0],  # type: ignore[misc]
            lambda start=start: hooked_das(model, base, source, targets, start),  # type: ignore[misc]
            3,
            times=seeds,
        )
    small = 8
    hooks.row(
        f"{MLPS} MLPs 32 → 64 → 1, 500 steps, batch 256",
        lambda: many(MLPS),
        lambda: one_by_one(small),
        3,
        check=lambda: (many(small, 20), one_by_one(small, 20)),  # Adam doubles rounding errors every few steps
        times=MLPS // small,
    )


if __name__ == "__main__":
    compare()
