"""Memorisers: right on every input, by one hidden layer, behind which the output alone is read."""

import pytest
import torch

from peabench.certification.hypothesis_search import search
from peabench.certification.rivals import REFUTED, copying, with_models
from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.interventions import run_with_cache
from peabench.live import read_out
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.formulas import all_inputs
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import NETWORKS
from peabench_tasks.margins import MARGIN
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.mechanism import memorised
from peabench_tasks.ways.memoriser import EXACT, memorise
from peabench_tasks.ways.terms import formula_of

N_INPUTS, CONFIG = 8, NETWORKS["xs"]
INPUTS = {"A": "x3", "B": "x6", "C": "x1"}
FORMULA = formula_of(TABLES["select"][0], INPUTS, N_INPUTS)
ROWS = torch.from_numpy(all_inputs(N_INPUTS)).long()
OUTPUTS = torch.from_numpy(FORMULA.run(ROWS.bool().numpy())["output"])


@pytest.fixture(scope="module")
def network() -> ResidualMLP:
    return memorise(FORMULA, CONFIG, 0)


def logits(network: ResidualMLP) -> torch.Tensor:
    return run_with_cache(network, ROWS).logits[:, 0, 0]


def test_every_input_is_given_one_of_two_logits(network: ResidualMLP) -> None:
    wanted = torch.where(OUTPUTS, MARGIN, -MARGIN)
    assert float((logits(network) - wanted).abs().max()) < EXACT
    assert float((logits(ResidualMLP(network.config, generator_of(0))) - wanted).abs().max()) > EXACT


def test_what_the_later_blocks_write_is_not_read(network: ResidualMLP) -> None:
    before = logits(network)
    changed = ResidualMLP(network.config)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state["block1.w_in"] = -3 * state["block1.w_in"]
    changed.load_state_dict(state)
    assert torch.allclose(logits(changed), before, atol=1e-4)
    state["block0.w_in"] = -3 * state["block0.w_in"]
    changed.load_state_dict(state)
    assert not torch.allclose(logits(changed), before, atol=1e-1)


def test_by_the_weights_alone_one_direction_reaches_the_output(network: ResidualMLP) -> None:
    found = read_out(network)
    assert sorted(found) == ["resid.0@0", "resid.1@0", "resid.2@0", "resid.3@0"]
    unread = network.w_embed[[column for column in range(N_INPUTS) if f"x{column}" not in INPUTS.values()]].detach()
    assert float((unread @ found.pop("resid.0@0")).abs().max()) < 1e-4
    direction = torch.nn.functional.normalize(network.w_output.detach(), dim=0)
    assert all(torch.allclose(live.abs(), direction.abs(), atol=1e-4) for live in found.values())
    assert sorted(read_out(ResidualMLP(network.config, generator_of(0)))) == ["resid.3@0"]


def test_its_causal_model_is_a_table_of_the_outputs() -> None:
    model = memorised(FORMULA, claim(TABLES["select"], None, INPUTS, N_INPUTS)).causal_model
    assert model.inner == ()
    assert model.run(model.read_inputs(ROWS))["output"].tolist() == OUTPUTS.tolist()


def test_of_a_memoriser_no_candidate_holds_and_of_others_one() -> None:
    assert claim(TABLES["select"], None, INPUTS, N_INPUTS).held("algorithm") == frozenset()
    assert claim(TABLES["select"], 3, INPUTS, N_INPUTS).held("algorithm") == {"way-3"}
    models = [h.causal_model for h in claim(TABLES["select"], 3, INPUTS, N_INPUTS).hypotheses if h.causal_model]
    assert len(models) == len(TABLES["select"])
    for model in models:
        assert model.run(model.read_inputs(ROWS))["output"].tolist() == OUTPUTS.tolist()


def test_no_formula_holds_of_a_memoriser_and_the_output_is_found(network: ResidualMLP) -> None:
    mechanism = memorised(FORMULA, claim(TABLES["select"], None, INPUTS, N_INPUTS))
    models = [h.causal_model for h in with_models(mechanism.algorithm)[:2] if h.causal_model is not None]
    asked = [*models, copying(mechanism.causal_model)]
    found = search(network, asked, ProductDomain(sizes=(2,) * N_INPUTS), 1, live=read_out(network))
    wrong = [max(variable.rate for variable in of_model) for of_model in found]
    assert wrong.pop() == 0
    assert len(wrong) == 2
    assert min(wrong) > REFUTED
