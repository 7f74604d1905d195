"""Methods for the track `beliefs`: each keeps the contract, finds what it claims to, and misses what it must."""

from dataclasses import replace

import pytest
import torch
from believing_networks import save_filter, save_parity

from peabench.affine import ridge
from peabench.conformance import assert_conforms
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.beliefs import TRACK, BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs import trained_map
from peabench_baselines.beliefs.causal_probe import CausalProbe, swap_shares
from peabench_baselines.beliefs.component_regression import ComponentRegression
from peabench_baselines.beliefs.concatenated_probe import ConcatenatedProbe
from peabench_baselines.beliefs.labelled_streams import label_streams
from peabench_baselines.beliefs.linear_probe import LinearProbe
from peabench_baselines.beliefs.nearest_token import NearestToken
from peabench_baselines.beliefs.random_readout import RandomReadout
from peabench_baselines.beliefs.ridge_probe import RidgeProbe, ridge_readouts
from peabench_baselines.beliefs.selective_probe import SelectiveProbe
from peabench_baselines.beliefs.trained_map import TrainedMap

METHODS: list[type[Scorer[BeliefQuestion, BeliefAnswer]]] = [
    RandomReadout,
    NearestToken,
    LinearProbe,
    RidgeProbe,
    ConcatenatedProbe,
    ComponentRegression,
    SelectiveProbe,
    CausalProbe,
    TrainedMap,
]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_filter(tmp_path_factory.mktemp("filter"), examples=48)


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_parity(tmp_path_factory.mktemp("parity"))


def answered(method: type[Scorer[BeliefQuestion, BeliefAnswer]], task: Task, seed: int = 0) -> dict[str, float | str]:
    (question,) = TRACK.questions(task, 0)
    answer = method().score(replace(question, generator=torch.Generator().manual_seed(seed)))
    return {"site": answer.site} | TRACK.grade(task, 0, question, answer)


@pytest.mark.parametrize("method", METHODS)
def test_the_contract_is_kept(
    method: type[Scorer[BeliefQuestion, BeliefAnswer]], parity: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained_map, "STEPS", 2)
    assert_conforms(method, [parity.folder])


@pytest.mark.parametrize("method", [CausalProbe, TrainedMap])
@pytest.mark.parametrize("name", ["task", "parity"])
def test_what_tests_its_swap_finds_the_place_that_is_used(
    method: type[Scorer[BeliefQuestion, BeliefAnswer]], name: str, request: pytest.FixtureRequest
) -> None:
    found = answered(method, request.getfixturevalue(name))
    assert str(found["site"]).startswith("resid.1@")
    assert float(found["score"]) > 0.8


@pytest.mark.parametrize("method", [RandomReadout, NearestToken])
def test_what_knows_no_belief_earns_0(
    method: type[Scorer[BeliefQuestion, BeliefAnswer]], task: Task, parity: Task
) -> None:
    for each in (task, parity):
        assert answered(method, each)["score"] == 0


def test_a_probe_reads_the_belief_also_where_nobody_uses_it(parity: Task) -> None:
    """And cannot tell the two places: R² is as high behind the last block, where a swap does nothing."""
    (question,) = TRACK.questions(parity, 0)
    streams = label_streams(question)
    quality = streams.quality(ridge_readouts(streams))
    assert quality["resid.1@0"] > 0.999
    assert quality["resid.2@0"] > 0.999
    shares = swap_shares(question, ridge_readouts(streams))
    assert shares["resid.1@0"] > 0.9
    assert shares["resid.2@0"] < 0.1


def test_no_history_is_both_fitted_to_and_chosen_by(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    streams = label_streams(question)
    (site,) = {"resid.2@*"} & set(question.sites)
    gaps = torch.cdist(streams.choose[site], streams.fit[site]).amin(1)
    assert float(gaps.min()) > 1e-9
    assert len(streams.fit_states) + len(streams.choose_states) < question.inputs.numel()


def test_a_control_task_is_learnt_from_the_token_alone(task: Task) -> None:
    from peabench_baselines.beliefs.selective_probe import _with_control_task

    (question,) = TRACK.questions(task, 0)
    control = label_streams(_with_control_task(question))
    learnt = {site: ridge(rows, control.fit_states, 1e-9) for site, rows in control.fit.items()}
    assert control.quality(learnt)["resid.0@*"] > 0.5
    streams = label_streams(question)
    known = {site: ridge(rows, streams.fit_states, 1e-9) for site, rows in streams.fit.items()}
    assert streams.quality(known)["resid.0@*"] < 0.5
