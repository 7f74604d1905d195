"""Gates: polynomials are the truth tables, what is planted stands in the weights, and wrong weights are found out."""

from itertools import product
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from peabench.catalogue import bundled_tasks, select
from peabench.certification import Check, certify_network
from peabench.certification.certify import certify, contradiction
from peabench.certification.features import features_check
from peabench.certification.interactions import interactions_check, interference_check, quadratic_form_check
from peabench.certification.subject import examine
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.networks.interaction_matrices import interaction_matrices
from peabench.tasks import Task, load_task
from peabench_tasks.gates.family import GATES
from peabench_tasks.gates.logic import POLYNOMIALS, Gate, Kind, draw_gates, polynomials
from peabench_tasks.gates.mechanism import causal_model, explain, gate_directions, largest_cosine
from peabench_tasks.gates.planting import Layers, Polynomials, Read, as_network
from peabench_tasks.gates.specifications import specifications
from peabench_tasks.gates.training import train

TABLES: dict[Kind, list[bool]] = {
    "and": [False, False, False, True],
    "or": [False, True, True, True],
    "xor": [False, True, True, False],
    "but_not": [False, False, True, False],
}
"""For inputs 00, 01, 10, 11."""
BY_HAND = (Gate("and", 0, 1), Gate("or", 1, 2), Gate("xor", 0, 3), Gate("but_not", 2, 3))
DOMAIN = ProductDomain(sizes=(2,) * 4, frequency=((0.7, 0.3),) * 4)


def written_down(activation: str) -> ResidualMLP:
    """A neuron for each gate's pair, and directions along the axes."""
    bilinear = activation == "bilinear"
    config = ResidualMLPConfig(
        n_inputs=4, d_model=4, n_blocks=1, n_units=1, d_hidden=8, d_output=4, activation=activation
    )
    first, second = (torch.zeros(1, 4, 4) for _ in range(2))
    for neuron, gate in enumerate(BY_HAND):
        first[0, gate.first, neuron] = second[0, gate.second, neuron] = 1
    products = polynomials(BY_HAND, 4)[1]
    layers = Layers(
        bilinear,
        torch.cat([first, second], 2) if bilinear else first + second,
        torch.zeros(1, 1, 8) if bilinear else -torch.ones(1, 1, 4),
        torch.diag(products)[None],
        2 * torch.eye(4)[None],
        -torch.ones(1, 1, 4),
    )
    beside = Read.of(layers, Polynomials.of([BY_HAND], 4)).beside[0]
    return as_network(config, layers.of(0), beside, torch.Generator().manual_seed(0))


def checks_of(network: ResidualMLP, mechanism: Mechanism) -> dict[str, Check]:
    """The checks of weights, and of one feature moved."""
    subject, twin = examine(network, mechanism, DOMAIN, seed=0), ResidualMLP(network.config).requires_grad_(False)
    found = [check(subject, twin) for check in (interactions_check, quadratic_form_check, interference_check)]
    return {check.name: check for check in (*found, features_check(subject)) if check is not None}


def shipped(name: str) -> Task:
    return load_task(GATES.checkpoints / name)


@pytest.mark.parametrize("kind", POLYNOMIALS)
def test_polynomials_and_causal_models_are_the_truth_tables(kind: Kind) -> None:
    gates = (Gate(kind, 0, 1), Gate(kind, 0, 2))
    linear, products = polynomials(gates[:1], 2)
    rows = torch.tensor(list(product((0, 1), repeat=2)))
    values = rows.float() @ linear[0] + rows.prod(1) * products[0]
    assert values.tolist() == [float(truth) for truth in TABLES[kind]]
    everything = torch.tensor(list(product((0, 1), repeat=3)))
    model = causal_model(gates, 3)
    answers = model.run(model.read_inputs(everything))["answers"]
    assert answers.tolist() == [[TABLES[kind][2 * x + y], TABLES[kind][2 * x + z]] for x, y, z in everything.tolist()]
    assert Polynomials.of([gates], 3).answers(everything[None].float())[0].tolist() == answers.float().tolist()


def test_drawn_gates_are_of_different_pairs_and_of_all_kinds() -> None:
    drawn = draw_gates(10, 6, ("and", "xor"), seed=1)
    assert len({(gate.first, gate.second) for gate in drawn}) == 10
    assert [gate.kind for gate in drawn] == ["and", "xor"] * 5
    assert all(gate.first < gate.second < 6 for gate in drawn)
    assert drawn == draw_gates(10, 6, ("and", "xor"), seed=1) != draw_gates(10, 6, ("and", "xor"), seed=2)


def test_inputs_are_made_such_that_the_gate_fires_and_no_other_is_touched() -> None:
    wanted = Polynomials.of([BY_HAND], 4)
    inputs = torch.rand(1, 4, 4).round()
    before = inputs.clone()
    gate = torch.arange(4)[None, :, None]
    wanted.make_fire(inputs, gate)
    assert bool((wanted.answers(inputs).gather(2, gate) == 1).all())
    for row, of in enumerate(BY_HAND):
        others = [i for i in range(4) if i not in (of.first, of.second)]
        assert inputs[0, row, others].tolist() == before[0, row, others].tolist()


@pytest.mark.parametrize("activation", ["bilinear", "relu"])
def test_gates_that_are_written_down_are_certified_and_alone_at_the_site(activation: str) -> None:
    network = written_down(activation)
    directions = gate_directions(network, BY_HAND)
    torch.testing.assert_close(directions, torch.eye(4), atol=1e-5, rtol=1e-5)
    assert largest_cosine(directions) < 1e-5
    mechanism = explain(network, BY_HAND)
    found = {check.name: check for check in certify_network(network, mechanism, DOMAIN, ResidualMLP(network.config))}
    assert {"interactions", "quadratic form", "interference"} < set(found)
    assert all(check.passed for check in found.values())
    assert found["interactions"].recorded["share explained"] > 0.99999
    assert found["features"].recorded["share of the variance at resid.1@0"] > 0.9999


@pytest.mark.parametrize("activation", ["bilinear", "relu"])
def test_a_pair_without_a_gate_in_the_weights_is_found_out_where_no_answer_shows_it(activation: str) -> None:
    network = written_down(activation)
    mechanism = explain(network, BY_HAND)
    network.block(0).w_in[0, :, 0] += 0.6 * network.w_embed[3]  # the neuron of inputs 0 and 1 reads input 3 a little
    found = checks_of(network, mechanism)
    assert not found["interactions"].passed
    assert found["interactions"].recorded["largest error"] > 0.15


def test_a_direction_that_is_another_one_and_an_answer_that_is_another_are_found_out() -> None:
    network = written_down("bilinear")
    truth = explain(network, BY_HAND)
    names = [feature.direction.name for feature in truth.features]
    tensors = {name: truth.tensor(f.direction) for name, f in zip(names, truth.features, strict=True)}
    first, second = names[:2]
    swapped = truth.with_tensors({**tensors, first: tensors[second], second: tensors[first]})
    found = checks_of(network, swapped)
    assert not found["interactions"].passed
    assert not found["features"].passed
    assert found["quadratic form"].passed
    network.w_output[:, 0] *= -1
    found = checks_of(network, truth)
    assert found["interactions"].passed
    assert not found["interference"].passed


def test_features_in_another_order_than_the_outputs_are_refused() -> None:
    network = written_down("bilinear")
    truth = explain(network, BY_HAND)
    tensors = {feature.direction.name: truth.tensor(feature.direction) for feature in truth.features}
    turned = truth.model_copy(update={"features": truth.features[::-1]}).with_tensors(tensors)
    with pytest.raises(PeabenchError, match="order"):
        checks_of(network, turned)


def test_interactions_name_a_site_with_features() -> None:
    document = explain(written_down("relu"), BY_HAND).model_dump()
    document["interactions"]["site"] = "resid.0@0"
    with pytest.raises(ValidationError, match="interactions"):
        Mechanism.model_validate(document)


@pytest.mark.parametrize("name", ["bilinear-xs-0", "and-xs-0"])
def test_a_shipped_task_is_certified_from_its_files_and_in_another_gauge(name: str) -> None:
    task = shipped(name)
    checks = certify(task)
    assert contradiction(task, checks) is None
    assert all(check.passed for check in checks)
    network = task.network()
    other, rotation = random_gauge(network, torch.Generator().manual_seed(1))
    assert rotation is not None
    turned = regauge_mechanism(task.mechanism, rotation)
    gates = next(s for s in specifications() if s.name == name).gates(0)
    assert isinstance(other, ResidualMLP)
    found = gate_directions(other, gates)
    expected = torch.stack([turned.tensor(feature.direction) for feature in turned.features])
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_in_bilinear_tasks_nothing_beyond_pairs_is_left_and_gates_are_more_than_neurons() -> None:
    task = shipped("bilinear-xs-0")
    network = task.network()
    assert isinstance(network, ResidualMLP)
    rows = task.record.domain.sample(512, torch.Generator().manual_seed(0))
    form = interaction_matrices(network).stream(rows.double()) @ network.w_output.double() + network.b_output.double()
    torch.testing.assert_close(network(rows)[:, 0].double(), form, atol=1e-3, rtol=1e-3)
    config = network.config
    assert config.d_output > max(config.d_model, config.d_hidden - config.n_inputs)


def test_every_task_of_the_family_is_there_and_certified() -> None:
    names = {task.folder.name for task in select(bundled_tasks(), ["gates/*"])}
    assert names == {specification.name for specification in specifications()}
    for name in names:
        assert all(check.passed for check in shipped(name).certificate)


def test_training_names_a_task_when_none_matches(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="and-s"):
        train(tmp_path, "nonsense", 0, lambda *_: None)
