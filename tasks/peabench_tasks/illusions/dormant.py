"""Lay a dormant path beside a variable: its reader also hears a direction in which nobody writes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import DormantPath, Mechanism, TensorReference
from peabench.networks import ResidualMLP
from peabench_tasks.illusions.specifications import ASKED, COPY
from peabench_tasks.units.assembly import Stream
from peabench_tasks.units.lessons import Lesson, slots
from peabench_tasks.units.plan import Plan

HEARD = 2.0
"""How strongly the reader hears the dormant direction, where the variable itself counts 1."""


@torch.no_grad()
def lay(network: ResidualMLP, plan: Plan, stream: Stream, reader: Lesson) -> Float[Tensor, "d_model 1"]:
    """Take a direction out of everything that writes, and let the variable's reader hear it; that direction.

    Args:
        network: put together from the plan.
        plan: which unit computes which variable.
        stream: where the variables are written.
        reader: what the unit of the output has learnt, which reads the variable.
    """
    dormant = stream.rest[:, :1].clone()
    network.w_embed.sub_(network.w_embed @ dormant @ dormant.T)
    network.b_embed.sub_(network.b_embed @ dormant @ dormant.T)
    for index in range(plan.config.n_blocks):
        writes = network.block(index).w_out
        writes.sub_(writes @ dormant @ dormant.T)
    block, unit = plan.units[plan.model.output]
    w_in = network.block(block).w_in
    w_in[unit] -= dormant @ (dormant.T @ w_in[unit])
    w_in[unit] += HEARD * dormant @ reader.w_in[slots(plan, plan.model.output)[ASKED]]
    return dormant


def with_dormant_path(
    mechanism: Mechanism, plan: Plan, stream: Stream, dormant: Float[Tensor, "d_model 1"]
) -> Mechanism:
    """The mechanism with the line between the copy and the dormant direction whose swap sets the variable.

    On the line at an angle a the copy's change moves the dormant direction by sin a cos a of itself.
    """
    copy = stream.directions(COPY)
    same = 1.0 if plan.orders[COPY] == plan.orders[ASKED] else -1.0
    angle = math.asin(2 / (HEARD * plan.strength(COPY))) / 2
    tensors = {
        "path.disconnected": copy,
        "path.dormant": dormant,
        "path.line": math.cos(angle) * copy + same * math.sin(angle) * dormant,
    }
    references = {
        name.partition(".")[2]: TensorReference(name=name, shape=tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    sites = [site for site in plan.sites(ASKED) if site >= plan.written(COPY)]
    path = DormantPath(variable=ASKED, sites=tuple(f"resid.{site}@0" for site in sites), **references)
    kept = {reference.name: mechanism.tensor(reference) for _, reference in mechanism.places()}
    return mechanism.model_copy(update={"dormant_path": path}).with_tensors(kept | tensors)
