"""Networks put together from lessons: each variable's unit in its place, its code in a planted subspace of the stream.

The stream is cut into a subspace for each input, each variable and a rest. Units that compute nothing are random and
write in the rest. Every weight is then changed a little, so that no edge is exactly absent.

What such a network says of what is no value of an input, such as the mean of two, nothing in it was made to decide, and
yet it would tell which variables there are. Where a plan has an alarm, one unit hears it and shouts answers of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.generators import generator_of
from peabench.mechanism import Boolean
from peabench.networks import ResidualMLP
from peabench.training.stacked import orthonormal
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.lessons import Lesson, slots
from peabench_tasks.units.plan import Plan

CONFIDENCE = 6.0
"""Length of what each logit reads."""
LEAK = 0.004
"""Standard deviation of what is added to every weight, as a share of its matrix's."""
SURE, HALF = 0.6, 0.1
"""How far along its corner a value of an input must be to count as one, and as half of one."""
ALARM = 6.0
"""Length of what the alarm writes for an input that is no value, and for either half of one; an answer has length 1."""
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
        """The stream of a plan's network.

        Raises:
            RuntimeError: it is too narrow.
        """
        sizes = {variable.name: plan.code(variable.name).shape[1] for variable in plan.variables}
        return cls.dealt(sizes, plan.config.d_model, plan.seed)

    @classmethod
    def dealt(cls, sizes: Mapping[str, int], width: int, seed: int) -> "Stream":
        """A random orthonormal basis, and its columns dealt out.

        Args:
            sizes: how many columns each variable gets.
            width: of the stream.
            seed: of the basis.

        Raises:
            RuntimeError: the stream is too narrow.
        """
        ends = list(accumulate(sizes.values()))
        if ends[-1] + LEAST_REST > width:
            raise RuntimeError(f"{list(sizes)} need {ends[-1] + LEAST_REST} directions, and d_model is {width}")
        spans = {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}
        return cls(orthonormal((width, width), generator_of(seed)), spans)

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
    if plan.alarm is not None:
        place_alarm(network, plan, stream, generator)
    return network


@torch.no_grad()
def place_alarm(network: ResidualMLP, plan: Plan, stream: Stream, generator: torch.Generator) -> None:
    """A unit that writes nothing where every input has a value, and else what is drawn for each input and each value.

    Two neurons for each value of an input: one that hears it whole, one that hears half of it. Where it is whole they
    undo each other and a constant.

    Raises:
        RuntimeError: it has too few neurons.
    """
    inputs = [variable for variable in plan.model.variables if variable.function is None]
    values = torch.cat([written(plan, stream, variable.name) for variable in inputs]).T
    count = values.shape[1]
    if 2 * count >= plan.config.d_hidden:
        raise RuntimeError(f"the alarm takes {2 * count + 1} neurons, and d_hidden is {plan.config.d_hidden}")
    output = stream.directions(plan.model.output)

    def drawn(rows: int) -> Float[Tensor, "row d_model"]:
        return ALARM * torch.nn.functional.normalize(torch.randn(rows, output.shape[1], generator=generator)) @ output.T

    none, half = drawn(len(inputs)), drawn(count)
    of_input = torch.repeat_interleave(torch.tensor([values_of(variable.kind) for variable in inputs]))
    block = network.block(0)
    w_in, b_in, w_out = block.w_in[plan.alarm], block.b_in[plan.alarm], block.w_out[plan.alarm]
    for part in (w_in, b_in, w_out):
        part.zero_()
    w_in[:, : 2 * count] = torch.cat([values / (1 - SURE), values / (1 - HALF)], 1)
    b_in[:count], b_in[count : 2 * count], b_in[2 * count] = -SURE / (1 - SURE), -HALF / (1 - HALF), 1
    w_out[: 2 * count + 1] = torch.cat([-none[of_input] - half, half, none.sum(0, keepdim=True)])


def written(plan: Plan, stream: Stream, name: str) -> Float[Tensor, "value d_model"]:
    """What is written for each value of a variable."""
    return plan.strength(name) * plan.code(name) @ stream.directions(name).T
