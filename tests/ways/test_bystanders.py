"""Gates that nobody reads: written as they are told, outside of the circuit, and told nothing where there are none."""

import pytest
import torch

from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.interventions import interchange, run_with_cache
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights
from peabench_tasks.boolean.tables import Tables, variable_numbers
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.boolean.tutoring import tutor
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import NETWORKS
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.making import LESSONS
from peabench_tasks.ways.mechanism import planted
from peabench_tasks.ways.placement import place
from peabench_tasks.ways.strengths import with_strengths

INPUTS = {"A": "x3", "B": "x6", "C": "x1"}
TERM, BAIT = TABLES["and_over_or"][:2]


def planter_of(plan: Plan) -> Planter:
    targets, tables = Targets.from_plans([plan], [0]), Tables.from_plans([plan])
    network = initial_network(plan, targets.basis[0], 0)
    stack = StackedResidualMLP.from_networks([network])
    return Planter(stack, tables, targets, generator_of(0), pivotal_weights(tables))


def with_bait() -> Plan:
    return place(TERM, BAIT, BAIT, INPUTS, NETWORKS["s"], 0)


def test_targets_keep_bystanders_out_of_the_circuit_and_of_what_is_interchanged() -> None:
    plan, plain = with_bait(), place(TERM, None, None, INPUTS, NETWORKS["s"], 0)
    targets, number = Targets.from_plans([plan], [0]), variable_numbers(plan)
    assert plan.bystanders == ("b0", "b1")
    assert not any(targets.planted[0, number[name]] for name in plan.bystanders)
    assert int(targets.circuit.sum()) == int(Targets.from_plans([plain], [0]).circuit.sum())
    nodes = [plan.node_number(name) for name in plan.bystanders]
    assert float(targets.circuit[0, :, nodes].sum()) == 0


def test_lessons_teach_bystanders_like_all_gates() -> None:
    plan = with_bait()
    planter = planter_of(plan)
    tutor(planter, LESSONS)
    rows, number = ProductDomain(sizes=(2,) * plan.config.n_inputs).all(), variable_numbers(plan)
    values, nodes = plan.formula.run(rows.bool().numpy()), run_with_cache(planter.stack.network(0), rows).nodes
    for name in plan.units:
        written = nodes[plan.node_number(name), :, 0] @ planter.targets.basis[0, :, number[name]]
        wanted = torch.from_numpy(values[name]).float() * 2 - 1
        assert float((written - wanted).abs().max()) < 0.3


def test_strengths_are_exact_and_change_nothing_that_is_read() -> None:
    plan = with_bait()
    planter = planter_of(plan)
    network, basis = planter.stack.network(0), planter.targets.basis[0]
    changed = with_strengths(network, plan, basis)
    rows, number = ProductDomain(sizes=(2,) * plan.config.n_inputs).all(), variable_numbers(plan)
    assert torch.allclose(changed(rows), network(rows), atol=1e-4)
    values = plan.formula.run(rows.bool().numpy())
    for name, strength in plan.strengths.items():
        written = run_with_cache(changed, rows).nodes[plan.node_number(name), :, 0] @ basis[:, number[name]]
        true = torch.from_numpy(values[name])
        assert abs(float(written[true].mean() - written[~true].mean())) == pytest.approx(2 * strength, rel=1e-3)
    source = rows[torch.randperm(len(rows), generator=generator_of(0))]
    for direction in basis.T[:, :, None]:
        outcomes = []
        for some in (network, changed):
            base, other = run_with_cache(some, rows), run_with_cache(some, source)
            outcomes.append(interchange(some, base, other, "resid.1@0", direction[None]))
        before, after = outcomes
        assert torch.allclose(before, after, atol=1e-4)


def test_the_mechanism_lists_them_as_decoys() -> None:
    plan = with_bait()
    basis = Targets.from_plans([plan], [0]).basis[0]
    mechanism = planted(plan, basis, claim(TABLES["and_over_or"], 0, INPUTS, plan.config.n_inputs))
    assert mechanism.causal_model.inner == ("g0",)
    assert [feature.name for feature in mechanism.features] == ["decoy-b0", "decoy-b1"]
    assert [feature.site for feature in mechanism.features] == [f"resid.{plan.written(n)}@0" for n in plan.bystanders]
