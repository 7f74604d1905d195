"""Networks put together from lessons: each variable's unit in its place, its code in a planted subspace of the stream.

The stream is cut into a subspace for each input, each variable and a rest. Units that compute nothing are random and
write in the rest. Every weight is then changed a little, so that no edge is exactly absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.generators import generator_of
from peabench.mechanism import Boolean
from peabench.networks import ResidualMLP
from peabench.training.stacked import orthonormal
from peabench_tasks.units.codes import code, dimension
from peabench_tasks.units.lessons import Lesson, slots
from peabench_tasks.units.plan import Plan

CONFIDENCE = 6.0
"""Length of what each logit reads."""
LEAK = 0.004
"""Standard deviation of what is added to every weight, as a share of its matrix's."""
LEAST_REST = 2
"""Directions at least left to units that compute nothing."""


@dataclass(frozen=True)
class Stream:
    """Where the residual stream holds which variable."""

    basis: Float[Tensor, "d_model d_model"]
    spans: dict[str, slice]
    """Columns of each variable."""

    @classmethod
    def cut(cls, plan: Plan) -> "Stream":
        """A random orthonormal basis, and its columns dealt to the variables.

        Raises:
            RuntimeError: the stream is too narrow.
        """
        spans, at = dict[str, slice](), 0
        for variable in plan.variables:
            spans[variable.name] = slice(at, at + dimension(variable.kind))
            at += dimension(variable.kind)
        width = plan.config.d_model
        if at + LEAST_REST > width:
            raise RuntimeError(f"{plan.model.inner} need {at + LEAST_REST} directions, and d_model is {width}")
        return cls(orthonormal((width, width), generator_of(plan.seed)), spans)

    def directions(self, name: str) -> Float[Tensor, "d_model k"]:
        """An orthonormal basis of a variable's subspace."""
        return self.basis[:, self.spans[name]].clone()

    @property
    def rest(self) -> Float[Tensor, "d_model k"]:
        """An orthonormal basis of what holds no variable."""
        return self.basis[:, max(span.stop for span in self.spans.values()) :]


@torch.no_grad()
def assemble(plan: Plan, lessons: Mapping[str, Lesson], stream: Stream) -> ResidualMLP:
    """The network of a plan.

    Args:
        plan: which unit computes which variable, and how strongly it is written.
        lessons: of every variable that a unit computes.
        stream: where the variables are written.
    """
    generator = generator_of(plan.seed)
    network = ResidualMLP(plan.config, generator)
    for block in range(plan.config.n_blocks):
        writes = network.block(block).w_out
        writes.copy_(writes @ stream.rest @ stream.rest.T)
    rows = [written(plan, stream, variable.name) for variable in plan.model.variables if variable.function is None]
    network.w_embed.copy_(torch.cat(rows))
    for name, lesson in lessons.items():
        block, unit = plan.units[name]
        weights = network.block(block)
        reads = [stream.directions(parent) / plan.strength(parent) for parent in slots(plan, name)]
        weights.w_in[unit] = torch.cat(reads, 1) @ lesson.w_in
        weights.b_in[unit] = lesson.b_in
        weights.w_out[unit] = plan.strength(name) * lesson.w_out @ stream.directions(name).T
    answers = written(plan, stream, plan.model.output)
    if plan.model.kinds[plan.model.output] == Boolean():
        answers = answers[1:]
    network.w_output.copy_(CONFIDENCE * answers.T)
    for weight in network.parameters():
        if weight.dim() > 1:
            weight.add_(LEAK * weight.std() * torch.randn(weight.shape, generator=generator))
    return network


def written(plan: Plan, stream: Stream, name: str) -> Float[Tensor, "value d_model"]:
    """What is written for each value of a variable."""
    return plan.strength(name) * code(plan.kinds[name], plan.orders[name]) @ stream.directions(name).T
