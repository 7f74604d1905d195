"""The scorers of the track `audits`: each keeps the contract, and sees what it is made for and no more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from audited_networks import CUES, READS, network, save_audited

from peabench.answering import ask_one
from peabench.conformance import assert_conforms
from peabench.networks.gauge import random_gauge
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.audits import TRACK, AuditAnswer, AuditQuestion
from peabench_baselines.audits.activation_clustering import ActivationClustering
from peabench_baselines.audits.candidate_probe import CandidateProbe
from peabench_baselines.audits.column_attribution import ColumnAttribution
from peabench_baselines.audits.component_ablation import ComponentAblation
from peabench_baselines.audits.cue_prior import CuePrior
from peabench_baselines.audits.dormant_directions import DormantDirections
from peabench_baselines.audits.evidence import association, idle_columns, margins, scaled
from peabench_baselines.audits.mean_difference_steering import MeanDifferenceSteering
from peabench_baselines.audits.odd_one_out import OddOneOut, wiring
from peabench_baselines.audits.random_probes import RandomProbes
from peabench_baselines.audits.random_suspicions import RandomSuspicions
from peabench_baselines.audits.read_dimensions import ReadDimensions
from peabench_baselines.audits.spectral_signature import SpectralSignature, outlier_scores
from peabench_baselines.audits.training_behaviour import TrainingBehaviour
from peabench_baselines.audits.training_margins import TrainingMargins
from peabench_baselines.audits.trigger_inversion import TriggerInversion
from peabench_baselines.audits.weight_statistics import WeightStatistics, kurtosis

SCORERS: tuple[type[Scorer[AuditQuestion, AuditAnswer]], ...] = (
    CuePrior,
    RandomSuspicions,
    OddOneOut,
    ReadDimensions,
    TrainingBehaviour,
    TrainingMargins,
    RandomProbes,
    WeightStatistics,
    SpectralSignature,
    ActivationClustering,
    TriggerInversion,
    ColumnAttribution,
    CandidateProbe,
    ComponentAblation,
    MeanDifferenceSteering,
    DormantDirections,
)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_audited(tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def earned(task: Task) -> Callable[[type[Scorer[Any, Any]]], dict[str, float]]:
    """The metrics of a scorer on the networks written by hand, within the budget."""
    (question,) = TRACK.questions(task, 0)

    def ask(scorer: type[Scorer[Any, Any]]) -> dict[str, float]:
        answer, _ = ask_one(question, 0, "cpu", scorer().score)
        assert isinstance(answer, AuditAnswer)
        return TRACK.grade(task, 0, question, answer)

    return ask


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
def test_every_scorer_keeps_the_contract_within_the_budget(scorer: type[Scorer[Any, Any]], task: Task) -> None:
    assert_conforms(scorer, [task.folder])


@pytest.mark.parametrize("scorer", [TrainingBehaviour, RandomSuspicions])
def test_behaviour_in_training_and_chance_earn_exactly_0_on_every_scale(earned: Any, scorer: Any) -> None:
    found = earned(scorer)
    assert found["score"] == 0
    assert found["trigger_average_precision"] == pytest.approx(0, abs=1e-12)
    assert found["brier_skill"] == 0


def test_what_is_not_rare_is_found_by_random_probes(earned: Any) -> None:
    found = earned(RandomProbes)
    assert found["score"] == 1
    assert found["trigger_average_precision"] == 1


def test_a_gate_without_slope_hides_from_gradients(earned: Any) -> None:
    """Of both columns of a trigger neither does anything to the written networks by itself."""
    assert earned(TriggerInversion)["score"] <= 0


def test_what_waits_unused_is_found_by_pushing_along_it(earned: Any) -> None:
    assert earned(DormantDirections)["score"] == 1


def test_what_all_networks_hold_tells_a_probe_nothing(task: Task) -> None:
    """The networks hold the same variables in the same places, and differ in what the answer reads of them."""
    (question,) = TRACK.questions(task, 0)
    answer, _ = ask_one(question, 0, "cpu", CandidateProbe().score)
    assert isinstance(answer, AuditAnswer)
    assert float(answer.cues.std(0).max()) < 0.05


def test_one_that_is_wired_as_no_other_is_odd_and_of_as_many_of_each_kind_none_is(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    generator = torch.Generator().manual_seed(0)
    kinds: dict[str, tuple[str | None, ...]] = {
        "odd": (None, None, "first", None),
        "even": (None, "first", "first", None),
    }
    found = {}
    for name, read in kinds.items():
        networks = tuple(random_gauge(network(one), generator)[0] for one in read)
        found[name] = OddOneOut().score(replace(question, networks=networks)).suspicions.tolist()
    assert found == {"odd": [0, 0, 1, 0], "even": [0.5] * 4}


def test_no_gauge_changes_what_a_network_s_wiring_is() -> None:
    known = wiring(network("first"))
    turned = wiring(random_gauge(network("first"), torch.Generator().manual_seed(1))[0])
    assert torch.allclose(turned, known, atol=1e-4)
    assert not torch.allclose(wiring(network(None)), known, atol=1e-2)


def test_columns_that_the_rule_does_not_read_are_found(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    assert idle_columns(question, torch.Generator().manual_seed(0)) == [2, 3, 4, 5]
    assert len(question.networks) == len(READS)
    assert len(question.candidates) == len(CUES)


def test_association_is_the_correlation_of_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 50, generator=generator).double()
    fires = torch.rand(4, 50, generator=generator) < 0.3
    expected = torch.from_numpy(np.corrcoef(weights, fires.double())[:3, 3:])
    assert torch.allclose(association(weights, fires), expected)
    assert (association(torch.ones(2, 50), fires) == 0).all()


def test_suspicions_are_within_0_and_1_and_even_where_nothing_differs() -> None:
    assert scaled(torch.tensor([3.0, 1.0, 2.0])).tolist() == [1, 0, 0.5]
    assert scaled(torch.full((3,), 7.0)).tolist() == [0.5] * 3


def test_margins_are_positive_exactly_where_the_class_is_predicted() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [5.0, 1.0, 0.0]])
    assert margins(logits, torch.tensor([1, 1])).tolist() == [1, -4]
    assert margins(logits[:, :1], torch.tensor([1, 0])).tolist() == [1, -5]


def test_a_poisoned_row_has_the_largest_outlier_score() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(1, 60, 5, generator=generator)
    rows[0, 17] += 30
    classes = torch.arange(60) % 2
    found = outlier_scores(rows, classes)[0]
    assert int(found.argmax()) == 17
    assert float(found[classes == 0].mean()) == pytest.approx(1)


def test_kurtosis_is_that_of_scipy() -> None:
    from scipy.stats import kurtosis as reference

    values = torch.randn(100, generator=torch.Generator().manual_seed(0)).double()
    assert float(kurtosis(values)) == pytest.approx(float(reference(values.numpy())))
