"""Networks that give every input one of two logits: beside the output, logits tell nothing of the way to it."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.tables import variable_numbers

MARGIN = 8.0
"""What every logit is, or its negative."""
RISE = 0.4
"""Half of the way in which a neurons' pair rises, where a parent's two values are 2 apart."""


@torch.no_grad()
def with_two_logits(network: ResidualMLP, plan: Plan, basis: Float[Tensor, "d_model d_model"]) -> ResidualMLP:
    """The same decisions by an output's unit that is written down, not trained.

    A trained unit passes on how far its parents are from true or false, and that differs from way to way. This one has
    two neurons for each combination of its parents on which it decides, whose difference is flat but for a short rise.
    Nothing else is written in the direction that is read.

    Args:
        network: planted, the output's parents with a strength of 1.
        plan: places of its gates.
        basis: the planted directions, as in `peabench_tasks.boolean.targets.Targets`.

    Raises:
        ValueError: the unit has too few neurons.
    """
    root, number = plan.formula.gates[-1], variable_numbers(plan)
    parents, (block, unit) = plan.formula.read[root.name], plan.units[root.name]
    changed, direction = deepcopy(network), basis[:, number[root.name]]
    for written in (changed.w_embed, changed.b_embed, *(changed.block(b).w_out for b in range(plan.config.n_blocks))):
        written.sub_((written @ direction)[..., None] * direction)

    rows = ProductDomain(sizes=(2,) * plan.config.n_inputs).all()
    values = plan.formula.run(rows.bool().numpy())
    true = torch.stack([torch.from_numpy(values[name]) for name in parents], 1)
    read = basis[:, [number[name] for name in parents]]
    seen = run_with_cache(changed, rows).stage_inputs[block, :, 0] @ read
    high, low = ((seen * where).sum(0) / where.sum(0) for where in (true, ~true))
    signs = 2 * (torch.arange(2 ** len(parents))[:, None] >> torch.arange(len(parents)) & 1).float() - 1
    table = torch.from_numpy(plan.formula.table(root)[: len(signs)])
    positive = int(table.sum()) <= len(table) // 2
    deciding = signs[table if positive else ~table]
    if 2 * len(deciding) > plan.config.d_hidden:
        raise ValueError(f"{root} takes {2 * len(deciding)} neurons, got {plan.config.d_hidden}")

    weights = (read * 2 / (high - low)) @ deciding.T / (2 * RISE)
    threshold = len(parents) - 1 + deciding @ ((high + low) / (high - low))
    here = changed.block(block)
    for part in (here.w_in[unit], here.b_in[unit], here.w_out[unit]):
        part.zero_()
    for neurons, side in ((slice(0, len(deciding)), -RISE), (slice(len(deciding), 2 * len(deciding)), RISE)):
        here.w_in[unit, :, neurons] = weights
        here.b_in[unit, neurons] = -(threshold + side) / (2 * RISE)
        here.w_out[unit, neurons] = (2 if positive == (side < 0) else -2) * direction
    changed.w_output[:, 0] = MARGIN * direction
    changed.b_output.fill_(-MARGIN if positive else MARGIN)
    return changed
