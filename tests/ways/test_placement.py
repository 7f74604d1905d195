"""Places: parents before readers, what reads inputs alone in the first block, bystanders beside the formula."""

import pytest

from peabench_tasks.boolean.formulas import Formula, all_inputs
from peabench_tasks.boolean.mechanism import circuit
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import NETWORKS
from peabench_tasks.ways.placement import STRONG, WEAK, place
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.terms import formula_of

INPUTS = {"A": "x3", "B": "x6", "C": "x1", "D": "x4"}
N_INPUTS = 8
ROWS = all_inputs(N_INPUTS)
CASES = [(table, number) for table, terms in TABLES.items() for number in range(len(terms))]


@pytest.mark.parametrize(("table", "number"), CASES)
def test_every_gate_has_a_unit_of_its_own_behind_its_parents(table: str, number: int) -> None:
    for config in NETWORKS.values():
        for seed in range(3):
            check_places(place(TABLES[table][number], None, None, INPUTS, config, seed))


def check_places(plan: Plan) -> None:
    assert set(plan.units) == {gate.name for gate in plan.formula.gates}
    assert len(set(plan.units.values())) == len(plan.units)
    for gate in plan.formula.gates:
        block, unit = plan.units[gate.name]
        parents = [plan.units[name][0] for name in plan.formula.read[gate.name] if name in plan.units]
        assert 0 <= unit < plan.config.n_units
        assert all(parent < block < plan.config.n_blocks for parent in parents)
        if not parents:
            assert block == 0


def test_in_crossed_networks_the_places_do_not_tell_what_is_read(crossed_tasks: list[Specification]) -> None:
    for specification in crossed_tasks:
        for seed in range(3):
            for member in specification.members(seed):
                plan = specification.plan(member)
                check_places(plan)
                assert not set(plan.bystanders) & set(plan.variables)
                nodes = {plan.node(name) for name in plan.bystanders}
                assert not any(nodes & set(edge.edge.split(" <- ")) for edge in circuit(plan).edges)


def test_in_crossed_networks_both_ways_variables_are_there_and_those_of_one_are_strong(
    crossed_tasks: list[Specification],
) -> None:
    for specification in crossed_tasks:
        values = {number: variables(specification, number) for number in specification.truths}
        for member in specification.members(0):
            plan = specification.plan(member)
            assert member.strong is not None
            found = plan.formula.run(ROWS)
            strong, weak = (
                {found[name].tobytes() for name, strength in plan.strengths.items() if strength == some}
                for some in (STRONG, WEAK)
            )
            assert strong == values[member.strong]
            assert strong | weak == set().union(*values.values())
            assert set(plan.strengths) == set(plan.units) - {"output"}


def variables(specification: Specification, number: int) -> set[bytes]:
    formula: Formula = formula_of(specification.ways[number], specification.inputs, N_INPUTS)
    found = formula.run(ROWS)
    return {found[gate.name].tobytes() for gate in formula.gates[:-1]}
