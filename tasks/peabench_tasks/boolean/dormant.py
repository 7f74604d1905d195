"""Dormant neurons: those that training left dead are given the weights of a gate's neurons, and stay dead.

Its weights say that a unit which has some reads a gate's parents and writes where the gate does; low biases tell that
it does not, and so does how it behaves. What the network computes is not changed, but for what `NEGLIGIBLE` allows.
"""

from copy import deepcopy
from pathlib import Path
from random import Random

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.certification import Check, certify
from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import Mechanism
from peabench.networks import Network, ResidualMLP
from peabench.tasks import TaskRecord, load_task, save_task
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.card import write_certificate

NEGLIGIBLE = 1e-3
"""Length of the most that a dead neuron adds to the stream on any input, next to the 1 of a gate's coordinate."""
ROOM = 1.25
"""How much further down a dormant neuron's bias is than the most that the nodes before it can add up to."""
MARGIN = 1.0
"""And how much further besides."""
RIVALS = "rivals"
STRONGEST = 4
"""How many of a gate's neurons are copied; in turn, where more are dead."""
GREATEST_SCALE = 4.0
"""How much larger a unit's dormant neurons may be than those they copy, so as to weigh as much as all of the gate's."""


def certify_with_dormant(
    folder: Path,
    record: TaskRecord,
    plan: Plan,
    seed: int,
    network: ResidualMLP,
    mechanism: Mechanism,
    twins: dict[str, Network],
) -> list[Check]:
    """Write a task whose network has dormant neurons; if it passes, its certificate and card as well.

    Neurons that are dead on all inputs may yet fire under an intervention: fewer are taken if the certificate says so.
    Where a rival holds, none of them is to blame.
    """
    checks: list[Check] = []
    for careful in (False, True):
        dormant = deepcopy(network)
        add_dormant_neurons(dormant, plan, seed, careful)
        save_task(folder, record, dormant, mechanism, twins)
        checks = certify(load_task(folder))
        if all(check.passed for check in checks):
            write_certificate(folder, checks)
            break
        if any(check.name == RIVALS and not check.passed for check in checks):
            break
    return checks


@torch.no_grad()
def add_dormant_neurons(network: ResidualMLP, plan: Plan, seed: int, careful: bool = False) -> None:
    """Give the dead neurons of each unit the weights of another gate's, one whose parents are written before the unit
    and that somebody still reads behind it.

    Done again, it changes nothing but roundings.

    Args:
        network: changed in place; what it computes is not.
        plan: where the gates are.
        seed: of the gates that are drawn.
        careful: take those neurons alone that are dead on every input with any one edge patched, too: few of them are.
    """
    config, rng = plan.config, Random(f"dormant/{seed}/{plan.formula.gates}")
    ran = run_with_cache(network, ProductDomain(sizes=(2,) * config.n_inputs).all())
    nodes = ran.nodes[:, :, 0]
    dead = _dead_neurons(network, ran.stage_inputs[:-1, :, 0], nodes if careful else nodes[:0])
    for block in range(config.n_blocks):
        here = network.block(block)
        before = nodes[: config.n_inputs + block * config.n_units]
        for unit in range(config.n_units):
            free = dead[block, unit].nonzero().flatten()
            gates = [gate for gate in _fitting(plan, block) if plan.units[gate] != (block, unit)]
            if not gates or not len(free):
                continue
            like_block, like = plan.units[rng.choice(gates)]
            theirs, alive = network.block(like_block), ~dead[like_block, like]
            w_in, w_out = theirs.w_in[like][:, alive], theirs.w_out[like][alive]
            order = (w_in.norm(dim=0) * w_out.norm(dim=1)).argsort(descending=True)[:STRONGEST]
            chosen = order[torch.arange(len(free)) % len(order)]
            whole, part = (w_in @ w_out).norm(), (w_in[:, chosen] @ w_out[chosen]).norm()
            scale = (whole / part).clamp(max=GREATEST_SCALE).sqrt()
            most = (before @ w_in[:, chosen]).amax(1).sum(0) + network.constant @ w_in[:, chosen]
            here.w_in[unit, :, free] = scale * w_in[:, chosen]
            here.w_out[unit, free] = scale * w_out[chosen]
            here.b_in[unit, free] = -scale * (ROOM * most.clamp(min=0) + MARGIN)


def _fitting(plan: Plan, block: int) -> list[str]:
    """Gates that could as well be computed in this block."""
    return [
        gate.name
        for gate in plan.core.gates
        if plan.readers(gate.name)[-1] > block
        and all(plan.written(parent) <= block for parent in plan.formula.read[gate.name])
    ]


def _dead_neurons(
    network: ResidualMLP, stage_inputs: Float[Tensor, "block row d_model"], patched: Float[Tensor, "node row d_model"]
) -> Bool[Tensor, "block unit neuron"]:
    """Neurons that are dead on all rows, also where any one of some nodes writes what it does on another row."""
    config, found = network.config, []
    for block, resid in enumerate(stage_inputs):
        clean = network.project(block, resid)
        most = clean.amax(0)
        for node in patched[: config.n_inputs + block * config.n_units]:
            carried = torch.einsum("rd,udh->ruh", node, network.block(block).w_in)
            most = torch.maximum(most, (clean + carried.amax(0) - carried).amax(0))
        found.append(most.relu() * network.block(block).w_out.norm(dim=-1) < NEGLIGIBLE)
    return torch.stack(found)
