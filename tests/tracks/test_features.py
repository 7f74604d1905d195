"""The track `features`: the truth earns 1, random directions 0, and references stand between."""

from dataclasses import fields, replace
from pathlib import Path

import hand_features
import pytest
import torch
from graded_features import NULL, ORACLE, PROBE, asked, at_random, graded, score, truth_of

from peabench import tracks
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task
from peabench.tracks.features import TRACK, FeatureQuestion


def test_it_is_found_by_its_name() -> None:
    assert tracks.get("features") is TRACK
    assert "features" in tracks.names()


@pytest.mark.parametrize("name", ["independent", "shapes", "crowd"])
def test_the_oracle_earns_exactly_1(name: str, request: pytest.FixtureRequest) -> None:
    task: Task = request.getfixturevalue(name)
    question = asked(task)
    metrics = TRACK.grade(task, 0, question, ORACLE.answer(question, task, []))
    assert (metrics["score"], metrics["truth_side"], metrics["answer_side"]) == (1, 1, 1)
    assert metrics["cosine"] == pytest.approx(1)
    assert metrics["firing"] == pytest.approx(1)
    assert metrics["causal"] == 1
    assert (metrics.get("absorption", 0), metrics.get("splitting", 0)) == (0, 0)


def mean_and_error(scores: list[float]) -> tuple[float, float]:
    values = torch.tensor(scores)
    return float(values.mean()), float(values.std()) / len(values) ** 0.5


@pytest.mark.parametrize("name", ["independent", "shapes", "crowd"])
def test_the_null_earns_0_within_its_error(name: str, request: pytest.FixtureRequest) -> None:
    task: Task = request.getfixturevalue(name)
    scores = []
    for seed in range(8):
        question = replace(asked(task), generator=torch.Generator().manual_seed(seed))
        scores.append(TRACK.grade(task, 0, question, NULL.answer(question, task, []))["score"])
    mean, error = mean_and_error(scores)
    assert abs(mean) < 3 * error + 0.005


@pytest.mark.parametrize("latents", [1, 6, 32])
@pytest.mark.parametrize("rectified", [True, False])
def test_neither_kind_of_random_directions_earns_more(independent: Task, latents: int, rectified: bool) -> None:
    question = asked(independent)
    answers = [at_random(question, latents, seed, rectified=rectified) for seed in range(12)]
    mean, error = mean_and_error([TRACK.grade(independent, 0, question, answer)["score"] for answer in answers])
    assert mean < 3 * error + 0.02
    if rectified:
        assert mean > -3 * error - 0.06


def test_chance_is_nothing_for_twenty_directions_in_two_dimensions(crowd: Task) -> None:
    """Nearest cosines would give .98 there: to each true direction one of the random ones is near."""
    question, truth = asked(crowd), truth_of(crowd)
    for latents in (20, 64):
        answers = [at_random(question, latents, seed) for seed in range(8)]
        grades = [TRACK.grade(crowd, 0, question, answer) for answer in answers]
        assert abs(sum(one["score"] for one in grades) / 8) <= 0.05
        assert min(one["chance"] for one in grades) > 0.1
    unit = torch.nn.functional.normalize(truth.directions, dim=1)
    assert float((unit @ answers[0].directions.T).abs().amax(1).mean()) > 0.97


def test_an_untrained_network_earns_nothing(independent: Task, crowd: Task) -> None:
    """Even a probe that is told when each feature fires finds none of the certified directions there."""
    for some in (independent, crowd):
        question = asked(some)
        twin = TRACK.twin_question(question, some)
        assert twin is not None
        assert twin.evaluation.shape == question.evaluation.shape
        assert not torch.equal(twin.evaluation, question.evaluation)
        for reference in (ORACLE, PROBE):
            metrics = TRACK.grade(some, 0, twin, reference.answer(twin, some, []))
            assert metrics["score"] < 0.25
            assert "causal" not in metrics


def test_the_probe_is_a_ceiling_below_or_at_1(independent: Task, shapes: Task, crowd: Task) -> None:
    scores = [
        TRACK.grade(some, 0, question, PROBE.answer(question, some, []))["score"]
        for some in (independent, shapes, crowd)
        for question in [asked(some)]
    ]
    assert min(scores[:2]) > 0.99
    assert 0 < scores[2] < 0.5  # twenty features in two dimensions cannot all be read
    assert PROBE.role == "ceiling"


def test_tiny_answers_are_graded(independent: Task) -> None:
    truth = truth_of(independent)
    metrics = graded(independent, truth.directions[:1], truth.activations[:, :1])
    assert metrics["truth_side"] == pytest.approx(1 / 6)
    assert 0 < metrics["score"] < 0.3


def test_a_question_holds_neither_truth_nor_network_nor_inputs(independent: Task) -> None:
    question = asked(independent)
    names = {field.name for field in fields(FeatureQuestion)}
    assert names == {
        "site", "latents", "draw", "training", "evaluation", "before_training", "before_evaluation", "generator",
    }  # fmt: skip
    directions = {
        tuple(independent.mechanism.tensor(item.direction).tolist()) for item in independent.mechanism.features
    }
    for part in (question.training, question.evaluation):
        assert part.dtype == torch.float32
        assert not directions & set(map(tuple, part.tolist()))
    assert independent.record.id not in repr(question)


def test_no_gauge_changes_a_score(independent: Task, tmp_path: Path) -> None:
    network, rotation = random_gauge(independent.network(), torch.Generator().manual_seed(3))
    assert rotation is not None
    domain = independent.record.domain
    turned = hand_features.save(tmp_path, network, regauge_mechanism(independent.mechanism, rotation), domain)  # type: ignore[arg-type]
    truth, question, again = truth_of(independent), asked(independent), asked(turned)
    assert torch.allclose(question.evaluation @ rotation, again.evaluation, atol=1e-5)
    assert score(turned, truth.directions @ rotation, truth.activations) == 1
    answer = at_random(question, 12, 0)
    one = graded(independent, answer.directions, answer.activations)
    other = graded(turned, answer.directions @ rotation, answer.activations)
    assert one["truth_side"] == pytest.approx(other["truth_side"], abs=1e-4)
    assert one["score"] == pytest.approx(other["score"], abs=0.05)  # chance is drawn anew in the turned basis
