"""Formulas: what is drawn is balanced and has no idle part; tables, run and causal model agree."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from peabench.mechanism import Mechanism
from peabench.training.stacked import orthonormal
from peabench_tasks.boolean.formulas import Formula, Gate, all_inputs
from peabench_tasks.boolean.mechanism import build_mechanism, causal_model
from peabench_tasks.boolean.specifications import Specification, specifications
from peabench_tasks.boolean.tables import Tables, variable_numbers

SMALL = [s for s in specifications() if s.size in ("xs", "s")]


def names(specification: Specification) -> str:
    return specification.name


@pytest.mark.parametrize("specification", SMALL, ids=names)
def test_output_is_balanced_and_gates_matter(specification: Specification) -> None:
    formula = specification.plan(0).formula
    inputs = all_inputs(formula.n_inputs)
    output = formula.run(inputs)[formula.gates[-1].name]
    assert 0.3 < output.mean() < 0.7
    influence = formula.influence(inputs)
    copies = {"g0a", "g0b", "g0c"}
    assert all(influence[gate.name] > 0 for gate in formula.gates if gate.name not in copies)
    if specification.variant == "rare":
        assert 0.006 <= influence["rare"] <= 0.02


@pytest.mark.parametrize("specification", SMALL, ids=names)
def test_causal_model_says_the_same_as_the_formula(specification: Specification) -> None:
    formula = specification.plan(0).formula
    model = causal_model(formula)
    inputs = all_inputs(formula.n_inputs)
    values = model.run(model.read_inputs(torch.from_numpy(inputs).long()))
    for name, value in formula.run(inputs).items():
        assert np.array_equal(values[name].numpy(), value)


@pytest.mark.parametrize(("wanted", "count"), [(1, 2), (1, 3), (1, 4), (1, 5), (3, 4), (3, 5)])
def test_an_exact_count(wanted: int, count: int) -> None:
    literals = tuple((f"x{i}", i == 1) for i in range(count))
    formula = Formula(count, (Gate("out", f"exactly_{wanted}", literals),))
    model, rows = causal_model(formula), all_inputs(count)
    counted = (rows ^ (np.arange(count) == 1)).sum(1) == wanted
    assert np.array_equal(formula.run(rows)["out"], counted)
    assert np.array_equal(model.run(model.read_inputs(torch.from_numpy(rows).long()))["out"].numpy(), counted)


@pytest.mark.parametrize("operation", ["select", "parity_if"])
def test_the_first_operand_decides_which_others_count(operation: str) -> None:
    formula = Formula(3, (Gate("out", operation, (("x0", True), ("x1", False), ("x2", False))),))
    model, rows = causal_model(formula), all_inputs(3)
    one, other = rows[:, 1], rows[:, 2]
    wanted = np.where(rows[:, 0], other, one) if operation == "select" else ~rows[:, 0] & (one != other)
    assert np.array_equal(formula.run(rows)["out"], wanted)
    assert np.array_equal(model.run(model.read_inputs(torch.from_numpy(rows).long()))["out"].numpy(), wanted)


@pytest.mark.parametrize("variant", ["tree", "redundant", "cancelling", "split"])
def test_tables_agree_with_the_causal_model_under_interventions(variant: str) -> None:
    plan = Specification(variant, "s", 0).plan(0)
    model, number = causal_model(plan.formula), variable_numbers(plan)
    tables = Tables.from_plans([plan])
    rows = torch.from_numpy(all_inputs(plan.config.n_inputs))
    generator = torch.Generator().manual_seed(0)
    base, source = (rows[torch.randint(0, len(rows), (200,), generator=generator)] for _ in range(2))
    at_source = tables.run(source[None])
    for gates in itertools.combinations([g.name for g in plan.formula.gates], 2):
        where = torch.zeros(1, 200, tables.n_variables, dtype=torch.bool)
        where[..., [number[g] for g in gates]] = True
        got = tables.run(base[None], override=(where, at_source))[0, :, -1]
        want = model.counterfactual(base.long(), {gate: source.long() for gate in gates})[model.output]
        assert torch.equal(got, want)
    for g, gate in enumerate(plan.formula.gates):
        for slot, parent in enumerate(plan.formula.read[gate.name]):
            where = torch.zeros(1, 200, *tables.parents.shape[1:], dtype=torch.bool)
            where[:, :, g, slot] = True
            got = tables.run(base[None], slots=(where, at_source))[0, :, -1]
            children = [child for p, child in model.edges if p == parent and reads(plan.formula, gate.name, child)]
            other = model.counterfactual(base.long(), edge_sources={(parent, c): source.long() for c in children})
            assert torch.equal(got, other[model.output])


def reads(formula: Formula, gate: str, child: str) -> bool:
    """Whether `child` is the gate or a derived variable that the gate computes."""
    literals = {name for g in formula.gates if g.name == gate for name, _ in g.literals}
    return child == gate or child in literals & {d.name for d in formula.derived}


@pytest.mark.parametrize("specification", SMALL, ids=names)
def test_every_plan_has_a_mechanism_that_survives_a_round_trip(specification: Specification, tmp_path: Path) -> None:
    plan = specification.plan(0)
    basis = orthonormal((plan.config.d_model, plan.config.d_model), torch.Generator().manual_seed(0))
    mechanism = build_mechanism(plan, basis)
    mechanism.save(tmp_path)
    loaded = Mechanism.load(tmp_path)
    assert loaded.model_dump() == mechanism.model_dump()
    assert len(loaded.features) == len(plan.decoys)
