"""Every method for the track `variables` keeps the contract, and finds what it can find."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from tests.tracks import gates

from peabench.interventions import run_with_cache
from peabench.mechanism import Range
from peabench.networks.gauge import random_gauge
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.variables import TRACK, VariableAnswer, VariableQuestion
from peabench_baselines.variables import das
from peabench_baselines.variables.balanced_rows import balanced_rows
from peabench_baselines.variables.best_neuron import BestNeuron
from peabench_baselines.variables.das import DAS
from peabench_baselines.variables.full_site import FullSite
from peabench_baselines.variables.labelled_activations import LabelledActivations
from peabench_baselines.variables.linear_discriminant import LinearDiscriminant
from peabench_baselines.variables.logistic_probe import LogisticProbe
from peabench_baselines.variables.mean_difference import MeanDifference
from peabench_baselines.variables.principal_components import PrincipalComponents
from peabench_baselines.variables.random_subspace import RandomSubspace
from peabench_baselines.variables.site_choice import choose_site

METHODS: list[type[Scorer[VariableQuestion, VariableAnswer]]] = [
    BestNeuron, DAS, FullSite, LinearDiscriminant, LogisticProbe, MeanDifference, PrincipalComponents, RandomSubspace,
]  # fmt: skip
DIRECTIONS = [LinearDiscriminant, LogisticProbe, MeanDifference]


def asked(question: VariableQuestion, seed: int = 0, **changes: Any) -> VariableQuestion:
    return replace(question, generator=torch.Generator().manual_seed(seed), **changes)


def score_of(task: Task, question: VariableQuestion, answer: VariableAnswer) -> float:
    return TRACK.grade(task, 1, question, answer)["score"]


@pytest.fixture(scope="module")
def counting_question(variable_question: VariableQuestion) -> VariableQuestion:
    """About a variable of three values, how many of the conjunctions hold, which takes two dimensions."""

    def counted(pairs: Any) -> Any:
        values = []
        for rows in (pairs.base, pairs.source):
            values.append((rows[:, 0] & rows[:, 1]) + (rows[:, 2] & rows[:, 3]))
        return replace(pairs, base_value=values[0], source_value=values[1])

    model = variable_question.causal_model
    count = model.variable("g0").model_copy(update={"kind": Range(low=0, high=2)})
    variables = tuple(count if v.name == "g0" else v for v in model.variables)
    return replace(
        variable_question,
        dimension=2,
        training=counted(variable_question.training),
        validation=counted(variable_question.validation),
        causal_model=model.model_copy(update={"variables": variables}),
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["variable_question", "counting_question"])
def test_answers_are_valid_repeatable_and_leave_the_network_alone(
    method: type[Scorer[VariableQuestion, VariableAnswer]],
    name: str,
    gates_task: Task,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(das, "FIRST_STEPS", 10)
    monkeypatch.setattr(das, "LAST_STEPS", 10)
    question: VariableQuestion = request.getfixturevalue(name)
    before = {key: value.clone() for key, value in question.network.state_dict().items()}
    scorer = method()
    assert scorer.applicable(question) is None
    one, two = scorer.score(asked(question)), method().score(asked(question))
    assert -1 <= score_of(gates_task, question, one) <= 1
    assert one.site == two.site
    if one.basis is not None and two.basis is not None:
        assert torch.equal(one.basis, two.basis)
    assert all(torch.equal(value, before[key]) for key, value in question.network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in question.network.parameters())


@pytest.mark.parametrize("method", [DAS, BestNeuron])
def test_methods_that_intervene_find_the_gate(
    method: type[Scorer[VariableQuestion, VariableAnswer]], gates_task: Task, variable_question: VariableQuestion
) -> None:
    answer = method().score(asked(variable_question))
    assert score_of(gates_task, variable_question, answer) > 0.95


@pytest.mark.parametrize("method", DIRECTIONS)
def test_methods_that_decode_are_misled_by_the_parents_beside_the_gate_and_still_beat_chance(
    method: type[Scorer[VariableQuestion, VariableAnswer]], gates_task: Task, variable_question: VariableQuestion
) -> None:
    answer = method().score(asked(variable_question))
    metrics = TRACK.grade(gates_task, 1, variable_question, answer)
    assert 0 < metrics["score"] < 0.9
    assert metrics["on_domain"] > 0.1


@pytest.mark.parametrize("method", [FullSite, PrincipalComponents])
def test_methods_that_do_not_look_at_it_do_not(
    method: type[Scorer[VariableQuestion, VariableAnswer]], gates_task: Task, variable_question: VariableQuestion
) -> None:
    assert score_of(gates_task, variable_question, method().score(asked(variable_question))) < 0.7


def test_a_random_subspace_earns_nothing_on_average(gates_task: Task, variable_question: VariableQuestion) -> None:
    answers = [RandomSubspace().score(asked(variable_question, seed)) for seed in range(12)]
    scores = [score_of(gates_task, variable_question, answer) for answer in answers]
    assert abs(float(np.mean(scores))) < 0.2
    assert len({answer.site for answer in answers}) > 1


@pytest.mark.parametrize("method", [MeanDifference, LogisticProbe, PrincipalComponents])
def test_a_rotated_network_gives_the_rotated_answer(
    method: type[Scorer[VariableQuestion, VariableAnswer]], variable_question: VariableQuestion
) -> None:
    network, rotation = random_gauge(variable_question.network, torch.Generator().manual_seed(5))
    assert rotation is not None
    one = method().score(asked(variable_question))
    two = method().score(asked(variable_question, network=network))
    assert one.site == two.site
    assert one.basis is not None
    assert two.basis is not None
    assert float((rotation.T @ one.basis - two.basis * (two.basis.T @ rotation.T @ one.basis)).abs().max()) < 1e-2


def test_mean_difference_is_the_difference_of_the_means(variable_question: VariableQuestion) -> None:
    question = asked(variable_question, sites=("resid.1@0",))
    basis = MeanDifference().score(question).basis
    pairs = question.training
    rows = torch.cat([pairs.base, pairs.source])
    values = torch.cat([pairs.base_value, pairs.source_value])
    stream = run_with_cache(question.network, rows).stage_inputs[1][:, 0]
    difference = stream[values].mean(0) - stream[~values].mean(0)
    assert basis is not None
    assert abs(float(basis[:, 0] @ difference / difference.norm())) == pytest.approx(1, abs=1e-5)


def test_principal_components_are_scikit_learns(counting_question: VariableQuestion) -> None:
    question = asked(counting_question, sites=("resid.2@0",))
    basis = PrincipalComponents().score(question).basis
    rows = torch.cat([question.training.base, question.training.source])
    stream = run_with_cache(question.network, rows).stage_inputs[2][:, 0]
    components = torch.from_numpy(PCA(2).fit(stream.double().numpy()).components_).float()
    assert basis is not None
    assert torch.linalg.svdvals(components @ basis).tolist() == pytest.approx([1, 1], abs=1e-4)


def test_das_learns_from_the_training_pairs_alone(
    variable_question: VariableQuestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of the validation pairs decide between sites and nothing else."""
    monkeypatch.setattr(das, "FIRST_STEPS", 30)
    question = asked(variable_question, sites=("resid.1@0",))
    wrong = replace(question.validation, counterfactual=1 - question.validation.counterfactual)
    one = DAS().score(question)
    two = DAS().score(asked(question, validation=wrong))
    assert one.basis is not None
    assert two.basis is not None
    assert torch.equal(one.basis, two.basis)


def test_the_site_is_the_best_on_the_validation_pairs(variable_question: VariableQuestion) -> None:
    right = torch.eye(gates.D_MODEL)[:, [6]]
    bases = {"resid.0@0": right, "resid.1@0": right, "resid.3@0": right}
    assert choose_site(variable_question, bases).site == "resid.1@0"


def test_the_single_neuron_is_the_gates_own_coordinate(variable_question: VariableQuestion) -> None:
    answer = BestNeuron().score(asked(variable_question))
    assert answer.site == "resid.1@0"
    assert answer.basis is not None
    assert torch.equal(answer.basis, torch.eye(gates.D_MODEL)[:, [6]])


def test_both_kinds_of_pairs_are_drawn_alike(variable_question: VariableQuestion) -> None:
    pairs = variable_question.training
    rows = balanced_rows(pairs, 400, torch.Generator().manual_seed(0))
    assert int(pairs.should_change[rows].sum()) == 200
    stay = pairs.select(~pairs.should_change)
    assert len(balanced_rows(stay, 50, torch.Generator().manual_seed(0))) == 50


@pytest.mark.parametrize("method", DIRECTIONS)
def test_a_variable_that_never_varies_is_declined(
    method: type[Scorer[VariableQuestion, VariableAnswer]], variable_question: VariableQuestion
) -> None:
    training = variable_question.training
    same = torch.zeros_like(training.base_value)
    question = replace(variable_question, training=replace(training, base_value=same, source_value=same))
    assert "same value" in (method().applicable(question) or "")


def test_discriminants_of_classes_without_spread_separate_their_means() -> None:
    classes = torch.arange(12) % 3
    means = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    activations = LabelledActivations({"resid0": means[classes]}, classes)
    basis = LinearDiscriminant().basis(activations, "resid0", 2)
    torch.testing.assert_close(basis.T @ basis, torch.eye(2))
    centred = means - means.mean(0)
    torch.testing.assert_close(centred @ basis @ basis.T, centred)
