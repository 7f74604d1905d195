"""Places: parents before readers, what reads inputs alone in the first block, bystanders beside the formula."""

import pytest

from peabench_tasks.boolean.formulas import Formula, all_inputs
from peabench_tasks.boolean.mechanism import circuit
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.ways.placement import LOUD, place
from peabench_tasks.distributive.specifications import N_INPUTS, NETWORKS, Specification, specifications
from peabench_tasks.ways.terms import formula_of

INPUTS = {"A": "x3", "B": "x6", "C": "x1", "D": "x4"}
ROWS = all_inputs(N_INPUTS)
CROSSED = [s for s in specifications() if s.variant == "crossed"]
CASES = [(table, number) for table, terms in TABLES.items() for number in range(len(terms))]


def plans(table: str, number: int) -> list[Plan]:
    terms = TABLES[table]
    return [place(terms[number], None, [], INPUTS, config, seed) for config in NETWORKS.values() for seed in range(3)]


def crossed(specification: Specification) -> list[Plan]:
    return [specification.plan(member) for seed in range(3) for member in specification.members(seed)]


@pytest.mark.parametrize(("table", "number"), CASES)
def test_every_gate_has_a_unit_of_its_own_behind_its_parents(table: str, number: int) -> None:
    for plan in plans(table, number):
        assert set(plan.units) == {gate.name for gate in plan.formula.gates}
        assert len(set(plan.units.values())) == len(plan.units)
        for gate in plan.formula.gates:
            block, unit = plan.units[gate.name]
            parents = [plan.units[name][0] for name in plan.formula.read[gate.name] if name in plan.units]
            assert 0 <= unit < plan.config.n_units
            assert all(parent < block < plan.config.n_blocks for parent in parents)
            if not parents and gate.name not in plan.bystanders:
                assert block == 0


@pytest.mark.parametrize("specification", CROSSED, ids=lambda specification: specification.name)
def test_bystanders_are_read_by_nobody_and_as_early_as_a_unit_is_free(specification: Specification) -> None:
    for plan in crossed(specification):
        assert len(set(plan.units.values())) == len(plan.units)
        assert not set(plan.bystanders) & set(plan.variables)
        nodes = {plan.node(name) for name in plan.bystanders}
        assert not any(nodes & set(edge.edge.split(" <- ")) for edge in circuit(plan).edges)
        for name in plan.bystanders:
            block, _ = plan.units[name]
            parents = [plan.units[parent][0] for parent in plan.formula.read[name] if parent in plan.units]
            for earlier in range(1 + max(parents, default=-1), block):
                there = [other for other, (at, _) in plan.units.items() if at == earlier]
                assert len(there) == plan.config.n_units


@pytest.mark.parametrize("specification", CROSSED, ids=lambda specification: specification.name)
def test_in_crossed_networks_the_variables_of_both_formulas_are_there_and_those_of_one_are_strong(
    specification: Specification,
) -> None:
    terms = [TABLES[specification.table][number] for number in specification.truths[:2]]
    values = [variables(formula_of(term, specification.inputs, N_INPUTS)) for term in terms]
    for member in specification.members(0):
        plan = specification.plan(member)
        found = plan.formula.run(ROWS)
        both = {found[name].tobytes() for name in plan.units}
        strong = {found[name].tobytes() for name, strength in plan.strengths.items() if strength == LOUD}
        assert both >= values[0] | values[1]
        assert strong == values[specification.truths.index(member.loud)]
        assert set(plan.strengths) == set(plan.bystanders)


def variables(formula: Formula) -> set[bytes]:
    found = formula.run(ROWS)
    return {found[gate.name].tobytes() for gate in formula.gates[:-1]}
