"""How strongly gates are written: set exactly, by a change of scale that nothing but a measure of variance sees."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.tables import variable_numbers


@torch.no_grad()
def with_strengths(network: ResidualMLP, plan: Plan, basis: Float[Tensor, "d_model d_model"]) -> ResidualMLP:
    """The same function with gates written as strongly as the plan says: by its strength a gate is above 0 in its
    direction where it is true, and as far below where it is false.

    The residual stream is stretched along the planted directions, and readers read so much less of them. Interchanges
    in these directions, and of all that is beside them, do what they did.

    Args:
        network: planted.
        plan: places and strengths of its gates.
        basis: the planted directions, as in `peabench_tasks.boolean.targets.Targets`.
    """
    rows, number = ProductDomain(sizes=(2,) * plan.config.n_inputs).all(), variable_numbers(plan)
    nodes, values = run_with_cache(network, rows).nodes[:, :, 0], plan.formula.run(rows.bool().numpy())
    stretch = torch.eye(plan.config.d_model)
    for name, strength in plan.strengths.items():
        direction = basis[:, number[name]]
        written = nodes[plan.node_number(name)] @ direction
        signs = torch.from_numpy(values[name]).float() * 2 - 1
        centred = signs - signs.mean()
        now = (centred @ written) / (centred @ signs)
        stretch += (strength / now.abs() - 1) * torch.outer(direction, direction)
    changed, back = deepcopy(network), torch.linalg.inv(stretch)
    for embedded in (changed.w_embed, changed.b_embed):
        embedded.copy_(embedded @ stretch)
    for index in range(plan.config.n_blocks):
        block = changed.block(index)
        block.w_out.copy_(block.w_out @ stretch)
        block.w_in.copy_(back @ block.w_in)
    changed.w_output.copy_(back @ changed.w_output)
    return changed
