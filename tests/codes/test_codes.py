"""Codes: the causal model is the behaviour, codes are what the network uses, wrong ones fail the certificate."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from peabench.catalogue import bundled_tasks, select
from peabench.certification import Check, certify_network
from peabench.certification.certify import certify, contradiction
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, load_task
from peabench.true_features import UNCERTIFIED, feature_sites, features_at
from peabench_tasks.codes.clauses import Clause, draw_clauses, literal_matrix, truths
from peabench_tasks.codes.family import CODES
from peabench_tasks.codes.free_training import as_network, margin_loss
from peabench_tasks.codes.mechanism import SITE, causal_model, explain, sign_matched
from peabench_tasks.codes.specifications import specifications
from peabench_tasks.codes.training import train

CLAUSES = (Clause(((0, True), (1, True))), Clause(((1, False), (2, True))), Clause(((0, False), (3, False))))
DOMAIN = ProductDomain(sizes=(2,) * 5)


def by_hand(row: list[int]) -> list[bool]:
    return [all(bool(row[column]) == wanted for column, wanted in clause.literals) for clause in CLAUSES]


def detectors() -> ResidualMLP:
    """A neuron for each clause, 1 where it holds, and a spare one that says where input 0 is true."""
    config = ResidualMLPConfig(n_inputs=5, d_model=4, n_blocks=1, n_units=1, d_hidden=4, d_output=3)
    literals = literal_matrix(CLAUSES, 5)
    w_embed = torch.cat([literals.T, torch.tensor([[1.0], [0], [0], [0], [0]])], 1)
    b_embed = torch.tensor([-1.0, -1, -1, 0])
    w_output = torch.cat([2 * torch.eye(3), torch.zeros(1, 3)])
    return as_network(config, w_embed, b_embed, w_output, -torch.ones(3))


def shipped(name: str) -> Task:
    return load_task(CODES.checkpoints / name)


def check(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_the_causal_model_and_the_training_labels_are_the_clauses() -> None:
    rows = DOMAIN.all()
    wanted = [by_hand(row) for row in rows.tolist()]
    model = causal_model(CLAUSES, 5)
    assert model.run(model.read_inputs(rows))["answers"].tolist() == wanted
    assert truths(literal_matrix(CLAUSES, 5), rows).tolist() == wanted


@pytest.mark.parametrize("negated", [True, False])
def test_drawn_clauses_are_different_and_of_the_width_asked_for(negated: bool) -> None:
    drawn = draw_clauses(20, 8, 3, negated=negated, seed=1)
    assert len(set(drawn)) == 20
    assert all(len({column for column, _ in clause.literals}) == 3 for clause in drawn)
    assert any(not wanted for clause in drawn for _, wanted in clause.literals) == negated
    assert drawn == draw_clauses(20, 8, 3, negated=negated, seed=1) != draw_clauses(20, 8, 3, negated=negated, seed=2)


def test_the_site_of_the_network_is_its_rectified_hidden_layer() -> None:
    network, rows = detectors(), DOMAIN.all()
    seen: list[Tensor] = []
    network.resid[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits = network(rows)[:, 0]
    hidden = ((2.0 * rows - 1) @ network.w_embed + network.b_embed).clamp(min=0)
    torch.testing.assert_close(seen[0][:, 0], hidden)
    assert (logits > 0).tolist() == [by_hand(row) for row in rows.tolist()]


def test_the_loss_is_nothing_inside_the_band_and_grows_on_both_sides() -> None:
    right = torch.tensor([[True, False]])
    assert float(margin_loss(torch.tensor([[1.1, -1.2]]), right)) == 0
    assert float(margin_loss(torch.tensor([[0.5, -1.2]]), right)) == pytest.approx(0.25)
    assert float(margin_loss(torch.tensor([[1.1, -1.8]]), right)) == pytest.approx(0.25)


def test_codes_of_detectors_are_the_detectors() -> None:
    network = detectors()
    code = sign_matched(network, literal_matrix(CLAUSES, 5))
    assert code.tolist() == [[True, False, False, False], [False, True, False, False], [False, False, True, False]]
    explanation = explain(network, CLAUSES, DOMAIN)
    assert explanation.uncertified == ()
    assert explanation.neurons == explanation.sharing == 1
    for feature in explanation.mechanism.features:
        direction = explanation.mechanism.tensor(feature.direction)
        assert int(direction.abs().argmax()) == int(feature.name.removeprefix("clause"))
    checks = certify_network(network, explanation.mechanism, DOMAIN, ResidualMLP(network.config))
    assert all(check.passed for check in checks)


def test_a_clause_that_no_direction_takes_away_is_named_uncertified() -> None:
    network = detectors()
    network.w_embed[:, 1] *= 2
    network.w_embed[4, 1] = 0.9  # where the second clause holds its neuron is at 0.1 or at 1.9
    network.b_embed[1] = -3
    network.w_output[1, 1] = 20
    explanation = explain(network, CLAUSES, DOMAIN)
    assert explanation.uncertified == ("clause1",)
    used, set_aside = (features_at(explanation.mechanism, SITE, decoys=decoys) for decoys in (False, True))
    assert [feature.name for feature in used] == ["clause0", "clause2"]
    assert [feature.name for feature in set_aside] == [f"{UNCERTIFIED}-clause1"]


def test_a_shipped_task_is_certified_from_its_files() -> None:
    task = shipped("triples-xs-0")
    assert feature_sites(task.mechanism) == [SITE]
    checks = certify(task)
    assert contradiction(task, checks) is None
    assert all(check.passed for check in checks)


def test_a_shipped_direction_that_is_another_one_fails() -> None:
    task = shipped("triples-xs-0")
    names = [feature.direction.name for feature in task.mechanism.features]
    tensors = {name: task.mechanism.tensor(f.direction) for name, f in zip(names, task.mechanism.features, strict=True)}
    first, second = names[:2]
    broken = task.mechanism.with_tensors({**tensors, first: tensors[second], second: tensors[first]})
    checks = certify_network(task.network(), broken, task.record.domain, None)
    assert not check(checks, "features").passed
    assert not check(checks, "joint features").passed


def test_a_shipped_output_weight_that_is_negated_fails() -> None:
    task = shipped("triples-xs-0")
    network = task.network()
    network.w_output[:, 0] *= -1
    checks = certify_network(network, task.mechanism, task.record.domain, None)
    assert not check(checks, "behaviour").passed


def test_every_task_of_the_family_is_there_and_certified() -> None:
    names = {task.folder.name for task in select(bundled_tasks(), ["codes/*"])}
    assert names == {specification.name for specification in specifications()}
    for name in names:
        assert all(check.passed for check in shipped(name).certificate)


def test_training_names_a_task_when_none_matches(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="pairs-xs-0"):
        train(tmp_path, "nonsense", 0, lambda *_: None)
