"""An output's unit that is written down: the same decisions, and one of two logits on every input."""

from pathlib import Path

import pytest
import torch

from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import NETWORKS, Distributive
from peabench_tasks.margins import MARGIN
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.making import finish_planted, plant_together
from peabench_tasks.ways.placement import place
from peabench_tasks.ways.strengths import with_strengths
from peabench_tasks.ways.terms import XOR
from peabench_tasks.ways.training import task_record
from peabench_tasks.ways.two_logits import with_two_logits

INPUTS = {"A": "x3", "B": "x6", "C": "x1", "D": "x4"}
CONFIG = NETWORKS["s"]
ROWS = ProductDomain(sizes=(2,) * CONFIG.n_inputs).all()
WAYS = [("parity", 8, 0), ("select", 7, 0)]


@pytest.fixture(scope="module")
def planted() -> list[tuple[ResidualMLP, Plan, torch.Tensor]]:
    plans = [
        place(TABLES[table][one], TABLES[table][other], TABLES[table][other], INPUTS, CONFIG, 0)
        for table, one, other in WAYS
    ]
    planters = plant_together(plans, list(range(len(plans))))
    return [
        (planter.stack.network(0), plan, planter.targets.basis[0])
        for plan, planter in zip(plans, planters, strict=True)
    ]


@pytest.mark.parametrize("case", range(len(WAYS)))
def test_every_input_is_given_one_of_two_logits(
    planted: list[tuple[ResidualMLP, Plan, torch.Tensor]], case: int
) -> None:
    network, plan, basis = planted[case]
    network.requires_grad_(False)
    wanted = torch.from_numpy(plan.formula.run(ROWS.bool().numpy())["output"])
    for changed in (with_two_logits(network, plan, basis), with_strengths(network, plan, basis)):
        assert torch.equal(changed(ROWS)[:, 0, 0] > 0, wanted)
    margins = with_strengths(with_two_logits(network, plan, basis), plan, basis)(ROWS).abs()
    assert float((margins - MARGIN).abs().max()) < 1e-4
    trained = network(ROWS).abs()
    assert float((trained - trained.mean()).abs().max()) > 1e-3


def test_more_combinations_than_neurons_are_refused() -> None:
    plan = place(XOR("A", "B", "C", "D"), None, None, INPUTS, CONFIG, 0)
    basis = torch.eye(CONFIG.d_model)
    with pytest.raises(ValueError, match="takes 16 neurons, got 8"):
        with_two_logits(ResidualMLP(CONFIG), plan, basis)


def test_a_network_of_which_a_gate_was_not_learnt_is_not_written(tmp_path: Path) -> None:
    specification = next(s for s in Distributive.listed() if s.variant == "crossed")
    own = specification.members(0)[0]
    plan, record = specification.plan(own), task_record(specification, 0)
    claimed = claim(specification.ways, own.truth, specification.inputs, CONFIG.n_inputs)
    (planter,) = plant_together([plan], [own.seed], lessons=1)
    with torch.no_grad():
        weights = planter.stack.parameters["block0.w_in"]
        weights += torch.randn(weights.shape, generator=generator_of(0))
    problem = finish_planted(record, tmp_path, claimed, own.seed, plan, planter)
    assert problem is not None
    assert problem.startswith("a gate was not learnt")
    assert list(tmp_path.iterdir()) == []
