"""Lessons before planting: every unit learns its gate by itself, on all that its parents may say, in any combination.

The recipe itself shows units what the network holds, and learns gates of several inputs in many more steps. A lesson
costs a tenth of one of its steps.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench_tasks.boolean.planting import Planter

ROWS = 256
LEARNING_RATE = 2e-2
RANDOM = 0.5
"""How strong the random part of what a neuron reads is at the beginning, next to its combination of parents."""
STRIDE = 11
"""From a neuron's combination to the next one's: odd, so that as many as there are neurons differ."""
LOGIT = 4.0
"""How strongly the output's direction is read."""


def tutor(planter: Planter, steps: int) -> None:
    """Teach all units of all networks side by side; those that have no gate learn to write nothing.

    Every direction of the stream holds 1 or -1 at random.
    """
    stack, targets, config = planter.stack, planter.targets, planter.stack.config
    networks = torch.arange(len(targets.basis))[:, None]
    unit, variable = targets.gates.unbind(-1)
    directions = torch.zeros(len(networks), config.n_blocks * config.n_units, config.d_model)
    directions[networks, unit] = targets.basis.transpose(1, 2)[networks, variable]
    begin(planter, directions)
    taught = [stack.parameters[f"block{b}.{w}"] for b in range(config.n_blocks) for w in ("w_in", "b_in", "w_out")]
    optimiser = torch.optim.Adam(taught, lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        held = planter.random(len(networks), ROWS, config.d_model) < 0.5
        resid = stack.parameters["b_embed"][:, None] + torch.bmm(held.float() * 2 - 1, targets.basis.transpose(1, 2))
        reads = resid.detach()[:, None].expand(-1, config.n_units, -1, -1)
        written = torch.cat([stack.units(block, reads) for block in range(config.n_blocks)], 1)
        signs = torch.zeros(written.shape[:3])
        signs[networks, unit] = gate_values(planter, held).float() * 2 - 1
        wrong = written - signs[..., None] * directions[:, :, None]
        optimiser.zero_grad()
        wrong.square().sum(-1).mean(-1).sum().backward()
        optimiser.step()
        schedule.step()
    root = planter.tables.parents[:, -1, 0]
    with torch.no_grad():
        stack.parameters["w_output"][..., 0] = LOGIT * targets.basis.transpose(1, 2)[networks[:, 0], root]
        stack.parameters["b_output"].zero_()


@torch.no_grad()
def begin(planter: Planter, directions: Float[Tensor, "network unit d_model"]) -> None:
    """Turn what units read to their gate's parents, and each neuron to a combination of these: there it is loudest, and
    it writes the gate's value. Neighbouring neurons have other combinations, so that no combination is forgotten.

    Units without a gate read nothing.

    Args:
        planter: its networks are changed.
        directions: of each unit's gate.
    """
    stack, targets, config = planter.stack, planter.targets, planter.stack.config
    tables, networks = planter.tables, torch.arange(len(targets.basis))[:, None]
    unit, variable = targets.gates.unbind(-1)
    gate = variable - tables.n_inputs
    parents, table = tables.parents[networks, gate], tables.table[networks, gate]
    assignment = torch.arange(table.shape[-1])
    units = config.n_blocks * config.n_units
    first = (planter.random(len(networks), units) * len(assignment)).long()[networks, unit]
    turned = (first[..., None] + STRIDE * torch.arange(config.d_hidden)) % len(assignment)
    read = torch.zeros(len(networks), units, config.d_model)
    ahead = torch.zeros(len(networks), units, config.d_model, config.d_hidden)
    for slot in range(parents.shape[-1]):
        matters = (table != table[..., assignment ^ (1 << slot)]).any(-1)
        parent = parents[..., slot]
        read[networks, unit, parent] += matters.float()
        ahead[networks, unit, parent] += torch.where(matters[..., None], 2.0 * (turned >> slot & 1) - 1, 0)
    count = (read > 0).sum(-1, keepdim=True).clamp(min=1)
    read *= RANDOM * (config.d_model / count) ** 0.5
    ahead /= count[..., None] ** 0.5
    written = torch.zeros(len(networks), units, config.d_hidden)
    written[networks, unit] = table.gather(-1, turned).float() * 2 - 1
    taught = written[..., None] * directions[:, :, None] / count[..., None] ** 0.5
    for block in range(config.n_blocks):
        here = slice(block * config.n_units, (block + 1) * config.n_units)
        w_in = stack.parameters[f"block{block}.w_in"]
        looked = torch.einsum("kdv,kudh->kuvh", targets.basis, w_in) * read[:, here, :, None] + ahead[:, here]
        w_in.copy_(torch.einsum("kdv,kuvh->kudh", targets.basis, looked))
        stack.parameters[f"block{block}.w_out"].copy_(taught[:, here])


def gate_values(planter: Planter, held: Bool[Tensor, "network row variable"]) -> Bool[Tensor, "network gate row"]:
    """Each gate's value, in the order of the targets', if its parents are what is held."""
    tables = planter.tables
    networks = torch.arange(len(held))[:, None]
    gate = planter.targets.gates[..., 1] - tables.n_inputs
    parents = tables.parents[networks, gate]
    bits = held.transpose(1, 2)[networks[..., None], parents]
    weights = 2 ** torch.arange(parents.shape[-1])
    return tables.table[networks, gate].gather(-1, (bits * weights[:, None]).sum(2)).bool()
