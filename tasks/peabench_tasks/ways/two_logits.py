"""Networks that give every input one of two logits: beside the output, logits tell nothing of the way to it."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.formulas import Formula, Gate
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
    unit_of_output = deciding_neurons(plan.formula, root, seen, true)
    count = len(unit_of_output.bias)
    if count > plan.config.d_hidden:
        raise ValueError(f"{root} takes {count} neurons, got {plan.config.d_hidden}")
    here = changed.block(block)
    for part in (here.w_in[unit], here.b_in[unit], here.w_out[unit]):
        part.zero_()
    here.w_in[unit, :, :count] = read @ unit_of_output.weights
    here.b_in[unit, :count] = unit_of_output.bias
    here.w_out[unit, :count] = unit_of_output.out[:, None] * direction
    changed.w_output[:, 0] = MARGIN * direction
    changed.b_output.fill_(unit_of_output.rest * MARGIN)
    return changed


@dataclass(frozen=True)
class Deciding:
    """Neurons that write 2 or -2 for the decided value of a gate, and nothing for the other one."""

    weights: Float[Tensor, "parent neuron"]
    bias: Float[Tensor, " neuron"]
    out: Float[Tensor, " neuron"]
    rest: float
    """1 or -1: with it added, what is written is 1 where the gate is true and -1 where it is not."""


def deciding_neurons(
    formula: Formula, root: Gate, seen: Float[Tensor, "row parent"], true: Bool[Tensor, "row parent"]
) -> Deciding:
    """A pair of neurons for each combination of a gate's parents on which it decides, flat but for a short rise.

    Args:
        formula: of the gate.
        root: the gate.
        seen: what is read of each parent.
        true: whether it is true.
    """
    parents = formula.read[root.name]
    high, low = ((seen * where).sum(0) / where.sum(0) for where in (true, ~true))
    signs = 2 * (torch.arange(2 ** len(parents))[:, None] >> torch.arange(len(parents)) & 1).float() - 1
    table = torch.from_numpy(formula.table(root)[: len(signs)])
    positive = int(table.sum()) <= len(table) // 2
    deciding = signs[table if positive else ~table]
    weights = (2 / (high - low))[:, None] * deciding.T / (2 * RISE)
    threshold = len(parents) - 1 + deciding @ ((high + low) / (high - low))
    bias = torch.cat([-(threshold + side) / (2 * RISE) for side in (-RISE, RISE)])
    out = torch.tensor([2.0, -2.0]).repeat_interleave(len(deciding)) * (1 if positive else -1)
    return Deciding(weights.repeat(1, 2), bias, out, -1.0 if positive else 1.0)
