"""Places: parents before readers, what reads inputs alone in the first block, bystanders beside the formula."""

import pytest

from peabench_tasks.boolean.mechanism import circuit
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.placement import place
from peabench_tasks.distributive.specifications import NETWORKS

INPUTS = {"A": "x3", "B": "x6", "C": "x1", "D": "x4"}
CASES = [(table, number) for table, terms in TABLES.items() for number in range(len(terms))]


def plans(table: str, number: int) -> list[Plan]:
    terms = TABLES[table]
    bait = terms[(number + 1) % len(terms)]
    plain = [place(terms[number], None, INPUTS, config, seed) for config in NETWORKS.values() for seed in range(3)]
    return plain + [place(terms[number], bait, INPUTS, NETWORKS["s"], seed, (0.25, 1.0)) for seed in range(3)]


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


@pytest.mark.parametrize(("table", "number"), CASES)
def test_nobody_but_a_bystander_reads_a_bystander(table: str, number: int) -> None:
    for plan in plans(table, number)[-3:]:
        assert plan.bystanders
        assert not set(plan.bystanders) & set(plan.variables)
        assert {plan.strengths[name] for name in plan.bystanders} == {1.0}
        assert {plan.strengths[gate.name] for gate in plan.core.gates[:-1]} == {0.25}
        nodes = {plan.node(name) for name in plan.bystanders}
        assert not any(nodes & set(edge.edge.split(" <- ")) for edge in circuit(plan).edges)


@pytest.mark.parametrize(("table", "number"), CASES)
def test_bystanders_are_as_early_as_a_unit_is_free(table: str, number: int) -> None:
    for plan in plans(table, number)[-3:]:
        for name in plan.bystanders:
            block, _ = plan.units[name]
            parents = [plan.units[parent][0] for parent in plan.formula.read[name] if parent in plan.units]
            for earlier in range(1 + max(parents, default=-1), block):
                there = [other for other, (at, _) in plan.units.items() if at == earlier]
                assert len(there) == plan.config.n_units
