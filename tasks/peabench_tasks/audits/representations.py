"""What units that were trained together write: it is no code that was given, and later units learn to read it."""

from collections.abc import Mapping
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.mechanism import evaluate
from peabench.mechanism.kinds import bounds, dtype
from peabench_tasks.units.codes import code, values_of
from peabench_tasks.units.lessons import LEARNT, Lesson, NotLearnt, learn_examples, slots
from peabench_tasks.units.plan import Plan

DRAWS = 64
"""Of what is written for each combination of values that a unit reads."""
HARD, CLOSEST = 0.5, 64
"""Share of the draws that are from as many inputs nearest to another value, and as many furthest from it."""
FEW = 256
"""Inputs of other values to which the distance is measured."""
CLOSE = 0.05
"""Noise on what is read: values lie closer to each other than those of a code."""


def numbers_on(plan: Plan, rows: Int[Tensor, "row column"]) -> dict[str, Int[Tensor, " row"]]:
    """Number of the value of every variable that a network computes, and of its inputs, on some inputs."""
    values = dict(plan.model.read_inputs(rows))
    for variable in sorted(plan.computed, key=lambda variable: variable.name == plan.model.output):
        found = evaluate(plan.function(variable.name), values, plan.kinds)
        values[variable.name] = found.to(dtype(variable.kind)).expand(len(rows))
    return {name: value.long() - (bounds(plan.kinds[name]) or (0, 0))[0] for name, value in values.items()}


def written_on(
    plan: Plan, lessons: Mapping[str, Lesson], rows: Int[Tensor, "row column"]
) -> dict[str, Float[Tensor, "row k"]]:
    """What is written for every variable whose unit is known, and for the inputs, on some inputs."""
    read = plan.model.read_inputs(rows)
    found = {name: code(plan.kinds[name], plan.orders[name])[value.long()] for name, value in read.items()}
    for variable in plan.computed:
        if variable.name in lessons:
            parents = torch.cat([found[parent] for parent in slots(plan, variable.name)], 1)
            found[variable.name] = outcome(lessons[variable.name], parents)
    return found


def outcome(lesson: Lesson, read: Float[Tensor, "row inputs"]) -> Float[Tensor, "row k"]:
    """What a unit writes."""
    return (read @ lesson.w_in + lesson.b_in).relu() @ lesson.w_out


def drawn_examples(
    plan: Plan,
    name: str,
    lessons: Mapping[str, Lesson],
    rows: Int[Tensor, "row column"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "example inputs"], Float[Tensor, "example k"]]:
    """What a unit reads, and what it should write: every combination of values, each as it is written on some inputs.

    Args:
        plan: of the network.
        name: of the variable that the unit computes.
        lessons: of all that it reads.
        rows: inputs, among which each parent takes all of its values.
        generator: draws, for each parent by itself, on which input its value is looked at.
    """
    parents = list(slots(plan, name))
    numbers, written = numbers_on(plan, rows), written_on(plan, lessons, rows)
    combinations = torch.tensor(list(product(*(range(values_of(plan.kinds[parent])) for parent in parents))))
    wanted = combinations.repeat_interleave(DRAWS, 0)
    read = torch.zeros(len(wanted), slots(plan, name)[parents[-1]].stop)
    for i, parent in enumerate(parents):
        for value in range(values_of(plan.kinds[parent])):
            shown, asked = (numbers[parent] == value).nonzero()[:, 0], wanted[:, i] == value
            drawn = shown[torch.randint(len(shown), (int(asked.sum()),), generator=generator)]
            close = shown[nearest(written[parent], numbers[parent], value)]
            hard = torch.rand(len(drawn), generator=generator) < HARD
            drawn[hard] = close[torch.randint(len(close), (int(hard.sum()),), generator=generator)]
            read[asked, slots(plan, name)[parent]] = written[parent][drawn]
    given = {
        parent: (wanted[:, i] + (bounds(plan.kinds[parent]) or (0, 0))[0]).to(dtype(plan.kinds[parent]))
        for i, parent in enumerate(parents)
    }
    lowest = (bounds(plan.kinds[name]) or (0, 0))[0]
    right = evaluate(plan.function(name), given, plan.kinds).long() - lowest
    return read, code(plan.kinds[name], plan.orders[name])[right]


def nearest(written: Float[Tensor, "row k"], numbers: Int[Tensor, " row"], value: int) -> Int[Tensor, " near"]:
    """Places, among the rows with a value, of those that are written nearest to another one, and of those furthest."""
    own, others = written[numbers == value], written[numbers != value]
    few = others[torch.linspace(0, len(others) - 1, min(len(others), FEW)).long()] if len(others) else own[:1]
    order = torch.cdist(own, few).amin(1).argsort()
    return torch.cat([order[:CLOSEST], order[-CLOSEST:]])


def learn_drawn(
    plan: Plan,
    name: str,
    lessons: Mapping[str, Lesson],
    rows: Int[Tensor, "row column"],
    generator: torch.Generator,
) -> Lesson:
    """Train a unit on what other units write on some inputs.

    Raises:
        NotLearnt: no start came near enough to the variable's code.
    """
    read, wanted = drawn_examples(plan, name, lessons, rows, generator)
    lesson = learn_examples(read, wanted, plan.config.d_hidden, generator, CLOSE)
    if lesson.distance < LEARNT:
        return lesson
    raise NotLearnt(f"{name} of {plan.model.inner} was not learnt: {lesson.distance:.2f} off its code")
