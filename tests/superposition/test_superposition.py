"""Superposition: features are the embedding's columns, what is represented is measured, and wrong columns fail."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from peabench.catalogue import bundled_tasks, select
from peabench.certification import Check, certify, certify_network
from peabench.certification.certify import contradiction
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, load_task
from peabench_tasks.superposition.family import SUPERPOSITION
from peabench_tasks.superposition.free_training import as_graded_network, as_network
from peabench_tasks.superposition.mechanism import SITE, explain, geometry, represented
from peabench_tasks.superposition.specifications import SIZES, Specification, specifications
from peabench_tasks.superposition.training import train

DOMAIN = ProductDomain(sizes=(2,) * 4, frequency=((0.9, 0.1),) * 4)


def opposite_pair() -> ResidualMLP:
    """Two dimensions: inputs 0 and 1 in opposite directions, input 2 at a right angle to them, input 3 nowhere."""
    config = ResidualMLPConfig(n_inputs=4, d_model=2, n_blocks=1, n_units=1, d_hidden=1, d_output=4)
    written = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    return as_network(config, written, written, torch.full((4,), -0.5))


def graded_pair() -> ResidualMLP:
    """One dimension for two inputs of magnitudes 0, 1/2 and 1 in opposite directions; one of its own for the third."""
    config = ResidualMLPConfig(
        n_inputs=3, words=((0, 3), (3, 3), (6, 3)), d_model=2, n_blocks=1, n_units=1, d_hidden=1, d_output=6
    )
    written = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    return as_graded_network(config, written, written / torch.tensor([[1.0], [1.0], [4.0]]), torch.zeros(3))


GRADED = ProductDomain(sizes=(3,) * 3, frequency=((0.9, 0.05, 0.05),) * 3)


def shipped(name: str) -> Task:
    return load_task(SUPERPOSITION.checkpoints / name)


def check(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_the_network_is_the_autoencoder() -> None:
    network, rows = opposite_pair(), DOMAIN.all()
    seen: list[Tensor] = []
    network.resid[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits = network(rows)[:, 0]
    written = 2 * network.w_embed
    torch.testing.assert_close(seen[0][:, 0], rows.float() @ written)
    torch.testing.assert_close(logits, rows.float() @ written @ written.T - 0.5)


def test_what_is_represented_is_what_its_output_follows() -> None:
    assert represented(opposite_pair(), DOMAIN) == [0, 1, 2]


def test_the_causal_model_answers_no_for_what_is_not_represented() -> None:
    mechanism = explain(opposite_pair(), [0, 1, 2])
    rows, model = DOMAIN.all(), mechanism.causal_model
    answers = model.run(model.read_inputs(rows))["answers"].tolist()
    assert answers == [[bool(x) for x in row[:3]] + [False] for row in rows.tolist()]
    assert [(feature.name, feature.site) for feature in mechanism.features] == [(f"x{i}", SITE) for i in range(3)]


def test_outputs_of_graded_inputs_say_which_middles_the_reconstruction_passes() -> None:
    network, rows = graded_pair(), GRADED.all()
    first, second, third = rows.T
    values = torch.stack([first - second, second - first, third], 1) / 2
    told = (values[..., None] > torch.tensor([0.25, 0.75])).flatten(1)
    assert torch.equal(network(rows)[:, 0] > 0, told)


def test_features_of_graded_inputs_fire_as_strongly_as_their_magnitudes() -> None:
    network = graded_pair()
    assert represented(network, GRADED) == [0, 1, 2]
    mechanism = explain(network, [0, 1, 2])
    tensors = {f.name: mechanism.tensor(f.direction) for f in mechanism.features}
    assert {name: row.tolist() for name, row in tensors.items()} == {"x0": [0.5, 0], "x1": [-0.5, 0], "x2": [0, 1]}
    rows, model = GRADED.all(), mechanism.causal_model
    answers = model.run(model.read_inputs(rows))["answers"].tolist()
    assert answers == [[value >= level for value in row for level in (1, 2)] for row in rows.tolist()]
    checks = certify_network(network, mechanism, GRADED, ResidualMLP(network.config))
    assert all(check.passed for check in checks)
    halved = mechanism.with_tensors({**tensors, "x2": tensors["x2"] / 2})
    assert not check(certify_network(network, halved, GRADED, None), "features").passed


def test_a_graded_input_whose_magnitudes_are_not_told_apart_is_not_represented() -> None:
    network = graded_pair()
    network.w_output[:, 4:] *= 0.4
    assert represented(network, GRADED) == [0, 1]


def test_geometry_of_an_opposite_pair() -> None:
    lie = geometry(torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0]]))
    assert lie.represented == 3
    assert lie.largest_cosine == pytest.approx(2 / 3)
    assert lie.dimensionality == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_inputs_are_as_frequent_as_the_size_says() -> None:
    for specification in specifications():
        frequencies = specification.frequencies
        mean = sum(frequencies) / len(frequencies)
        expected = SIZES[specification.size].frequency * (2.5 if specification.variant == "dense" else 1)
        assert mean == pytest.approx(expected, rel=1e-3)
    rarest = Specification("zipf", "s", 0).frequencies
    assert rarest[0] / rarest[-1] == pytest.approx(30, rel=0.01)


def test_a_shipped_task_is_certified_from_its_files() -> None:
    task = shipped("tied-xs-0")
    checks = certify(task)
    assert contradiction(task, checks) is None
    assert all(check.passed for check in checks)


def test_a_shipped_direction_that_is_turned_round_fails() -> None:
    task = shipped("tied-xs-0")
    tensors = {f.direction.name: task.mechanism.tensor(f.direction) for f in task.mechanism.features}
    first = next(iter(tensors))
    broken = task.mechanism.with_tensors({**tensors, first: -tensors[first]})
    checks = certify_network(task.network(), broken, task.record.domain, None)
    assert not check(checks, "features").passed


def test_every_task_of_the_family_is_there_and_certified() -> None:
    names = {task.folder.name for task in select(bundled_tasks(), ["superposition/*"])}
    assert names == {specification.name for specification in specifications()}
    for name in names:
        assert all(check.passed for check in shipped(name).certificate)


def test_training_names_a_task_when_none_matches(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="tied-xs-0"):
        train(tmp_path, "nonsense", 0, lambda *_: None)


def test_rare_inputs_may_be_wrong_within_the_tolerance_and_frequent_ones_not() -> None:
    network = opposite_pair()  # wrong where both of the pair are true: on one input in a hundred
    mechanism = explain(network, [0, 1, 2])
    behaviour = check(certify_network(network, mechanism, DOMAIN, ResidualMLP(network.config)), "behaviour")
    assert behaviour.passed
    assert not behaviour.exhaustive
    assert behaviour.errors / behaviour.cases == pytest.approx(0.01, rel=0.2)
    often = ProductDomain(sizes=(2,) * 4, frequency=((0.5, 0.5),) * 4)
    behaviour = check(certify_network(network, mechanism, often, ResidualMLP(network.config)), "behaviour")
    assert behaviour.errors / behaviour.cases == pytest.approx(0.25, rel=0.05)
    assert not behaviour.passed
