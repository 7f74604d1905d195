"""Questions about features: how inputs are drawn, and where activations are taken."""

from pathlib import Path

import hand_features
import pytest
import torch
from random_networks import inputs_of, network_of

from peabench.errors import PeabenchError
from peabench.networks import ResidualMLPConfig, TransformerConfig
from peabench.tasks import Task
from peabench.tracks.feature_questions import activations_at, budget, feature_inputs
from peabench.tracks.feature_truth import feature_truth
from peabench.tracks.features import TRACK


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    frequencies = (0.4, 0.3, 0.2, 0.1, 0.002, 0.0003)
    return hand_features.save_independent(tmp_path_factory.mktemp("rare"), frequencies=frequencies)


def test_rare_features_fire_eight_times_where_answers_are_graded(task: Task) -> None:
    for draw in range(3):
        inputs = feature_inputs(task, hand_features.SITE, draw)
        fired = inputs.evaluation.sum(0)
        assert inputs.evaluation.shape == (4096, 6)
        assert int(fired.min()) >= 8
        assert int(fired[5]) <= 12  # and hardly more often than that
        assert fired[:4].div(4096).tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.03)
        assert int(inputs.training[:, 5].sum()) < 8  # training inputs are as the domain draws them


def test_rare_features_are_not_recognised_by_their_place(task: Task) -> None:
    rows = feature_inputs(task, hand_features.SITE, 0).evaluation[:, 5].nonzero()[:, 0]
    assert int(rows.max()) > 2048
    assert len(rows.diff().unique()) > 3


def test_what_fires_too_rarely_to_be_graded_is_free(tmp_path: Path) -> None:
    never = hand_features.save_independent(tmp_path, frequencies=(0.4, 0.3, 0.2, 0.1, 0.05, 0.0))
    (question,) = TRACK.questions(never, 0)
    truth = feature_truth(never, question)
    assert (truth.graded.count, truth.free) == (5, 1)
    answer = TRACK.references[0].answer(question, never, [])
    assert TRACK.grade(never, 0, question, answer)["score"] == 1


def test_nothing_to_grade_is_said(tmp_path: Path) -> None:
    never = hand_features.save_independent(tmp_path, frequencies=(0.0,) * 6)
    (question,) = TRACK.questions(never, 0)
    with pytest.raises(PeabenchError, match=r"No feature at resid\.0@0 of hand/features-xs-0 fires often enough"):
        feature_truth(never, question)


def test_the_same_seed_asks_the_same_and_another_seed_other_inputs(task: Task) -> None:
    one, two, other = (TRACK.questions(task, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(one.evaluation, two.evaluation)
    assert torch.equal(one.training, two.training)
    assert not torch.equal(one.evaluation, other.evaluation)


def test_a_salt_keeps_the_inputs_secret(task: Task) -> None:
    salted = Task(task.folder, task.record.model_copy(update={"salt": "grains"}))
    one, other = (feature_inputs(some, hand_features.SITE, 0) for some in (task, salted))
    assert not torch.equal(one.evaluation, other.evaluation)


def test_the_budget_is_at_least_four_latents_for_each_dimension() -> None:
    assert [budget(8, features) for features in (1, 16, 17, 512)] == [32, 32, 64, 1024]


def test_activations_are_those_of_the_site_and_of_the_block_before() -> None:
    config = ResidualMLPConfig(n_inputs=3, d_model=12, n_blocks=2, n_units=2, d_hidden=4)
    network = network_of(config, 0)
    inputs = inputs_of(network, 5, 0)
    embedded = network.start(network.embedding_nodes(inputs))[:, 0]
    later = network.stage_sum(0, embedded[:, None].clone())[:, 0]
    here, before = activations_at(network, inputs, "resid.1@0")
    assert torch.allclose(here, later, atol=1e-6)
    assert torch.allclose(before, embedded, atol=1e-6)
    assert activations_at(network, inputs, "resid.0@0")[1].shape == (5, 0)
    unit, before = activations_at(network, inputs, "block1.unit1@0")
    assert torch.allclose(before, later, atol=1e-6)
    assert not torch.allclose(unit, before)


def test_one_position_of_a_transformer_is_looked_at() -> None:
    config = TransformerConfig(d_vocabulary=7, n_positions=4, d_model=12, n_blocks=1, n_heads=1, d_head=4, d_output=2)
    network = network_of(config, 0)
    inputs = inputs_of(network, 5, 0)
    here, before = activations_at(network, inputs, "resid.1@2")
    assert here.shape == before.shape == (5, 12)
    with pytest.raises(PeabenchError, match="expected a site at one position"):
        activations_at(network, inputs, "resid.1@*")
