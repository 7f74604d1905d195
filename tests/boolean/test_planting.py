"""Planting: many networks trained as one are what each is alone, and a short run learns."""

import pytest
import torch

from peabench.interventions import run_with_cache
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights, step_loss
from peabench_tasks.boolean.specifications import Specification
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets


@pytest.fixture(scope="module")
def planter() -> Planter:
    plans = [Specification("tree", "xs", seed).plan(0) for seed in range(2)]
    targets = Targets.from_plans(plans, [0, 1])
    networks = [initial_network(plan, targets.basis[i], i) for i, plan in enumerate(plans)]
    stack = StackedResidualMLP.from_networks(networks)
    tables = Tables.from_plans(plans)
    return Planter(stack, tables, targets, torch.Generator().manual_seed(0), pivotal_weights(tables))


def test_stacked_networks_compute_what_each_computes_alone(planter: Planter) -> None:
    inputs = torch.randint(0, 2, (2, 50, 8))
    resid = planter.stack.embed(inputs.float() * 2 - 1)
    for block in range(planter.stack.config.n_blocks):
        apart = planter.stack.units(block, resid[:, None].expand(-1, 3, -1, -1)).sum(1)
        assert torch.allclose(apart, planter.stack.block(block, resid), atol=1e-5)
        resid = resid + apart
    logits = planter.stack.unembed(resid)
    for k in range(2):
        assert torch.allclose(logits[k], run_with_cache(planter.stack.network(k), inputs[k]).logits[:, 0], atol=1e-5)


def test_a_short_run_lowers_the_loss(planter: Planter) -> None:
    alone = planter.subset([0])
    optimiser = torch.optim.AdamW(alone.stack.trainable(), lr=8e-3)
    losses = []
    for _ in range(60):
        pool = alone.pool(64)
        loss = step_loss(alone.losses(pool)[0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_gradients_are_clipped_network_by_network(planter: Planter) -> None:
    both = planter.subset([0, 1])
    for parameter in both.stack.trainable():
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[1] *= 1e-6
    both.stack.clip_gradients(1.0)
    norms = torch.stack([p.grad.flatten(1).square().sum(1) for p in both.stack.trainable()]).sum(0).sqrt()  # type: ignore[union-attr]
    assert float(norms[0]) == pytest.approx(1.0, rel=1e-3)
    assert float(norms[1]) < 1e-3
