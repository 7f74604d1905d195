"""Lessons: units learn their gates of what the stream may hold, in any combination, and the others nothing."""

import pytest
import torch

from peabench.generators import generator_of
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.boolean.training import sampled_errors
from peabench_tasks.boolean.tutoring import gate_values, tutor
from peabench_tasks.multitask_parity.specifications import MultitaskParity

LESSONS = 300


@pytest.fixture(scope="module")
def plan() -> Plan:
    specification = MultitaskParity("crossed", "xs", 0)
    return specification.plan(specification.members(0)[0])


def planter_of(plan: Plan) -> Planter:
    targets, tables = Targets.from_plans([plan], [0]), Tables.from_plans([plan])
    stack = StackedResidualMLP.from_networks([initial_network(plan, targets.basis[0], 0)])
    return Planter(stack, tables, targets, generator_of(0), pivotal_weights(tables))


@pytest.fixture(scope="module")
def tutored(plan: Plan) -> Planter:
    planter = planter_of(plan)
    tutor(planter, LESSONS)
    return planter


def test_what_a_gate_should_say_is_what_the_formula_says(plan: Plan) -> None:
    planter = planter_of(plan)
    inputs = torch.rand(1, 64, plan.config.n_inputs, generator=generator_of(1)) < 0.5
    values = planter.tables.run(inputs)
    said = gate_values(planter, values)
    for number, (_, variable) in enumerate(planter.targets.gates[0].tolist()):
        assert torch.equal(said[0, number], values[0, :, variable])


def test_lessons_bring_most_of_what_planting_asks_for(plan: Plan, tutored: Planter) -> None:
    before = int(sampled_errors(planter_of(plan), 2))
    assert int(sampled_errors(tutored, 2)) < 0.1 * before


def test_units_without_a_gate_write_nothing_that_depends_on_the_input(plan: Plan, tutored: Planter) -> None:
    config, busy = plan.config, set(plan.units.values())
    stream = torch.randn(1, config.n_units, 32, config.d_model, generator=generator_of(2))
    for block in range(config.n_blocks):
        spread = tutored.stack.units(block, stream).detach()[0].std(1).amax(1)
        for unit in range(config.n_units):
            assert (float(spread[unit]) > 0.1) == ((block, unit) in busy)
