"""The track `features`: the truth earns 1, chance 0, and every known way to look better than one is costs."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import hand_features
import pytest
import torch
from torch import Tensor

from peabench import tracks
from peabench.errors import InvalidAnswer
from peabench.grading import grade_cell
from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.plain import plain
from peabench.results import CellKey
from peabench.tasks import Task
from peabench.tracks import features
from peabench.tracks.feature_matching import Matching, pair_quality
from peabench.tracks.feature_questions import feature_inputs
from peabench.tracks.feature_truth import feature_truth
from peabench.tracks.features import TRACK, FeatureAnswer, FeatureQuestion, random_directions

ORACLE, PROBE = TRACK.references
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Six features in eight dimensions."""
    return hand_features.save_independent(tmp_path_factory.mktemp("independent"))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A circle, a hierarchy, a sign and a decoy."""
    return hand_features.save_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Twenty features in two dimensions: any direction is nearly one of theirs."""
    rows = hand_features.slanted(20, 2)
    return hand_features.save_independent(tmp_path_factory.mktemp("crowd"), rows, (0.1,) * 20)


def asked(task: Task) -> FeatureQuestion:
    (question,) = TRACK.questions(task, 0)
    return question


def truth_of(task: Task) -> FeatureAnswer:
    question = asked(task)
    answer = ORACLE.answer(question, task, [])
    assert isinstance(answer, FeatureAnswer)
    return answer


def graded(task: Task, directions: Tensor, activations: Tensor, subspaces: Tensor | None = None) -> dict[str, float]:
    return TRACK.grade(task, 0, asked(task), FeatureAnswer(directions, activations, subspaces))


def score(task: Task, directions: Tensor, activations: Tensor, subspaces: Tensor | None = None) -> float:
    return graded(task, directions, activations, subspaces)["score"]


def at_random(question: FeatureQuestion, latents: int, seed: int, *, rectified: bool = True) -> FeatureAnswer:
    directions = random_directions(latents, question.training.shape[1], torch.Generator().manual_seed(seed))
    along = (question.evaluation - question.training.mean(0)) @ directions.T
    return FeatureAnswer(directions, along.relu() if rectified else along)


def test_it_is_found_by_its_name() -> None:
    assert tracks.get("features") is TRACK
    assert "features" in tracks.names()


@pytest.mark.parametrize("name", ["task", "shapes", "crowd"])
def test_the_oracle_earns_exactly_1(name: str, request: pytest.FixtureRequest) -> None:
    task: Task = request.getfixturevalue(name)
    question = asked(task)
    metrics = TRACK.grade(task, 0, question, ORACLE.answer(question, task, []))
    assert (metrics["score"], metrics["truth_side"], metrics["answer_side"]) == (1, 1, 1)
    assert metrics["cosine"] == pytest.approx(1)
    assert metrics["firing"] == pytest.approx(1)
    assert metrics["causal"] == 1
    assert (metrics.get("absorption", 0), metrics.get("splitting", 0)) == (0, 0)


@pytest.mark.parametrize("latents", [1, 6, 32])
@pytest.mark.parametrize("rectified", [True, False])
def test_random_directions_earn_0(task: Task, latents: int, rectified: bool) -> None:
    question = asked(task)
    scores = torch.tensor(
        [
            TRACK.grade(task, 0, question, at_random(question, latents, seed, rectified=rectified))["score"]
            for seed in range(24)
        ]
    )
    error = float(scores.std()) / len(scores) ** 0.5
    assert float(scores.mean()) < 3 * error + 0.02
    if rectified:
        assert float(scores.mean()) > -3 * error - 0.06


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


def test_copies_of_one_feature_earn_nothing(task: Task) -> None:
    truth = truth_of(task)
    for count in (6, 32):
        copies = torch.zeros(count, dtype=torch.long)
        assert score(task, truth.directions[copies], truth.activations[:, copies]) < 0.1


def test_copies_would_win_if_many_latents_could_match_one_feature(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def many_to_one(quality: Tensor) -> Matching:
        best = quality.amax(0)
        return Matching(quality, torch.zeros(len(quality), dtype=torch.long), best[: len(quality)])

    truth = truth_of(task)
    copies = torch.zeros(6, dtype=torch.long)
    monkeypatch.setattr(features, "match", many_to_one)
    assert score(task, truth.directions[copies], truth.activations[:, copies]) > 0.99


def test_only_the_easy_quarter_earns_less_than_half(crowd: Task) -> None:
    truth = truth_of(crowd)
    metrics = graded(crowd, truth.directions[:5], truth.activations[:, :5])
    assert metrics["score"] < 0.4
    assert (metrics["truth_side"], metrics["answer_side"]) == (0.25, 1)  # a score of precision alone would be 1


def test_latents_that_never_fire_cost(task: Task) -> None:
    truth = truth_of(task)
    dead = torch.zeros(4096, 6)
    rows = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    metrics = graded(task, torch.cat([truth.directions, rows]), torch.cat([truth.activations, dead], 1))
    assert metrics["truth_side"] == 1
    assert metrics["answer_side"] == 0.5
    assert metrics["score"] < 0.7


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e9])
def test_what_always_fires_the_same_matches_nothing(task: Task, constant: float) -> None:
    truth = truth_of(task)
    metrics = graded(task, truth.directions, torch.full_like(truth.activations, constant))
    assert metrics["truth_side"] == metrics["cosine"] == metrics["causal"] == 0
    assert metrics["score"] < 0


def test_identical_activations_earn_nothing(task: Task) -> None:
    """Every direction is right, and all latents fire alike: once all as one feature, once as the sum of all."""
    truth = truth_of(task)
    for fired in (truth.activations[:, :1], truth.activations.sum(1, keepdim=True)):
        assert score(task, truth.directions, fired.expand(-1, 6)) < 0.2


def test_a_decoder_permuted_against_its_firing_falls_far_below(task: Task, crowd: Task) -> None:
    for some in (task, crowd):
        truth = truth_of(some)
        permuted = truth.directions.roll(1, 0)
        metrics = graded(some, permuted, truth.activations)
        assert metrics["score"] < 0.15
        assert metrics["causal"] < 0.3


@pytest.mark.parametrize("part", ["directions", "activations"])
def test_without_either_factor_a_permuted_decoder_would_win(
    task: Task, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the direction and the firing of a pair must be right: take one out, and the attack succeeds."""
    whole = pair_quality

    def half(truth: Any, answer: Any) -> Tensor:
        def bare(side: Any) -> Any:
            if part == "activations":
                return replace(side, directions=torch.ones_like(side.directions))
            latents = side.directions.shape[0]
            return replace(side, activations=torch.eye(4096, 1, dtype=side.directions.dtype).expand(-1, latents))

        return whole(bare(truth), bare(answer))

    truth = truth_of(task)
    monkeypatch.setattr(features, "pair_quality", half)
    assert graded(task, truth.directions.roll(1, 0), truth.activations)["truth_side"] > 0.99


def test_an_untrained_network_earns_nothing(task: Task, crowd: Task) -> None:
    """Even a probe that is told when each feature fires finds none of the certified directions there."""
    for some in (task, crowd):
        question = asked(some)
        twin = TRACK.twin_question(question, some)
        assert twin is not None
        assert twin.evaluation.shape == question.evaluation.shape
        assert not torch.equal(twin.evaluation, question.evaluation)
        for reference in (ORACLE, PROBE):
            metrics = TRACK.grade(some, 0, twin, reference.answer(twin, some, []))
            assert metrics["score"] < 0.25
            assert "causal" not in metrics


def test_a_feature_split_in_two_costs_and_is_told(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    at = {name: i for i, name in enumerate(found.names)}
    parent, child = at["parent"], at["child0"]
    with_child = truth.activations[:, parent] * truth.activations[:, child]
    fired = truth.activations.clone()
    fired[:, parent] -= with_child
    directions = torch.cat([truth.directions, truth.directions[[parent]]])
    assert truth.subspaces is not None
    numbers = torch.cat([truth.subspaces, truth.subspaces.max()[None] + 1])
    metrics = graded(shapes, directions, torch.cat([fired, with_child[:, None]], 1), numbers)
    assert metrics["score"] < 0.93
    assert metrics["splitting"] > 0.05


def test_a_parent_absorbed_into_its_child_costs_and_is_told(shapes: Task) -> None:
    """The parent's latent is silent where the child's fires, which is written along both."""
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    at = {name: i for i, name in enumerate(found.names)}
    parent, child = at["parent"], at["child0"]
    fired, directions = truth.activations.clone(), truth.directions.clone()
    fired[:, parent] *= 1 - fired[:, child]
    directions[child] += directions[parent]
    metrics = graded(shapes, directions, fired, truth.subspaces)
    assert metrics["absorption"] == pytest.approx(0.5)  # one of two children, wholly
    assert metrics["splitting"] < 0.05
    assert metrics["score"] < 0.93


def test_a_sign_that_direction_and_firing_share_is_free_and_no_other(shapes: Task) -> None:
    truth = truth_of(shapes)
    assert score(shapes, -truth.directions, -truth.activations, truth.subspaces) == 1
    assert score(shapes, -truth.directions, truth.activations, truth.subspaces) < 0
    assert score(shapes, truth.directions * 5, truth.activations / 3, truth.subspaces) == 1


def test_one_direction_may_fire_for_absence(task: Task) -> None:
    """Adding v where a feature fires and -v where it does not differ by a constant."""
    truth = truth_of(task)
    assert score(task, -truth.directions, 1 - truth.activations) == 1


def test_a_signed_feature_is_one_feature(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    signed = found.names.index("signed")
    both = truth.activations[:, [signed]]
    directions = torch.cat([truth.directions, -truth.directions[[signed]]])
    fired = torch.cat([truth.activations, (-both).relu()], 1)
    fired[:, signed] = fired[:, signed].relu()
    assert truth.subspaces is not None
    apart = torch.cat([truth.subspaces, truth.subspaces.max()[None] + 1])
    together = torch.cat([truth.subspaces, truth.subspaces[[signed]]])
    assert score(shapes, directions, fired, together) == 1
    assert score(shapes, directions, fired, apart) < 0.9


def test_a_circle_is_found_as_a_subspace_in_any_basis(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    circle = [found.names.index(name) for name in ("day_x", "day_y")]
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    directions, fired = truth.directions.clone(), truth.activations.clone()
    directions[circle], fired[:, circle] = turn @ directions[circle], fired[:, circle] @ turn.T
    assert score(shapes, directions, fired, truth.subspaces) == 1
    assert score(shapes, directions, fired) < 0.9  # two features of one dimension each are no circle


def test_seven_days_are_a_circle_once_they_are_one_subspace(shapes: Task) -> None:
    question, truth = asked(shapes), truth_of(shapes)
    found = feature_truth(shapes, question)
    circle = [found.names.index(name) for name in ("day_x", "day_y")]
    others = [i for i in range(len(truth.directions)) if i not in circle]
    day = feature_inputs(shapes, question.site, question.draw).evaluation[:, 0]
    angles = 2 * torch.pi * torch.arange(7) / 7
    rays = torch.stack([angles.cos(), angles.sin()], 1) @ truth.directions[circle]
    fires = torch.nn.functional.one_hot(day, 7).float()
    assert truth.subspaces is not None
    numbers = torch.cat([torch.full((7,), -1), truth.subspaces[others]])
    directions = torch.cat([rays, truth.directions[others]])
    activations = torch.cat([fires, truth.activations[:, others]], 1)
    assert score(shapes, directions, activations, numbers) == 1
    assert score(shapes, directions, activations) < 0.75


def test_a_decoy_neither_gains_nor_costs(shapes: Task) -> None:
    question, truth = asked(shapes), truth_of(shapes)
    idle = feature_inputs(shapes, question.site, question.draw).evaluation[:, 3:4].float()
    mechanism = shapes.mechanism
    (decoy,) = [mechanism.tensor(item.direction) for item in mechanism.features if item.name == "decoy"]
    assert truth.subspaces is not None
    for copies, expected in ((1, 1.0), (2, 0.95)):
        directions = torch.cat([truth.directions, decoy.expand(copies, -1)])
        fired = torch.cat([truth.activations, idle.expand(-1, copies)], 1)
        numbers = torch.cat([truth.subspaces, 100 + torch.arange(copies)])
        earned = score(shapes, directions, fired, numbers)
        assert earned == 1 if copies == 1 else earned < expected
    assert score(shapes, decoy[None], idle) < 0


def test_hiding_surplus_latents_in_one_subspace_does_not_help(task: Task) -> None:
    question, truth = asked(task), truth_of(task)
    surplus = at_random(question, 10, 0)
    directions = torch.cat([truth.directions, surplus.directions])
    fired = torch.cat([truth.activations, surplus.activations], 1)
    hidden = torch.cat([torch.arange(6), torch.zeros(10, dtype=torch.long)])
    assert score(task, directions, fired, hidden) < score(task, truth.directions, truth.activations)
    everything = torch.zeros(6, dtype=torch.long)
    assert score(task, truth.directions, truth.activations, everything) < 0.2


def test_the_probe_is_a_ceiling_below_or_at_1(task: Task, shapes: Task, crowd: Task) -> None:
    scores = [
        TRACK.grade(some, 0, question, PROBE.answer(question, some, []))["score"]
        for some in (task, shapes, crowd)
        for question in [asked(some)]
    ]
    assert min(scores[:2]) > 0.99
    assert 0 < scores[2] < 0.5  # twenty features in two dimensions cannot all be read
    assert PROBE.role == "ceiling"


def test_tiny_answers_are_graded(task: Task) -> None:
    truth = truth_of(task)
    metrics = graded(task, truth.directions[:1], truth.activations[:, :1])
    assert metrics["truth_side"] == pytest.approx(1 / 6)
    assert 0 < metrics["score"] < 0.3


def some_answer(task: Task) -> tuple[Tensor, Tensor]:
    truth = truth_of(task)
    return truth.directions, truth.activations


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d, a: (d * torch.nan, a, None), "finite directions"),
        (lambda d, a: (d, a * torch.nan, None), "finite activations"),
        (lambda d, a: (d, a / 0, None), "finite activations"),
        (lambda d, a: (d * 1e30, a, None), "finite directions"),
        (lambda d, a: (d[:0], a[:, :0], None), r"directions of shape \[1 to 32, 8\]"),
        (lambda d, a: (d.repeat(6, 1), a.repeat(1, 6), None), r"directions of shape \[1 to 32, 8\]"),
        (lambda d, a: (d[:, :4], a, None), r"directions of shape \[1 to 32, 8\]"),
        (lambda d, a: (d, a[:, :3], None), r"activations of shape \[4096, 6\]"),
        (lambda d, a: (d, a[:100], None), r"activations of shape \[4096, 6\]"),
        (lambda d, a: (d, a.T, None), r"activations of shape \[4096, 6\]"),
        (lambda d, a: (d.long(), a, None), "floating-point directions"),
        (lambda d, a: (d, a.tolist(), None), "floating-point activations"),
        (lambda d, a: (d.to_sparse(), a, None), "dense directions"),
        (lambda d, a: (d, a, torch.arange(5)), r"integer subspaces \[6\]"),
        (lambda d, a: (d, a, torch.zeros(6)), r"integer subspaces \[6\]"),
        (lambda d, a: (d.repeat(4, 1), a.repeat(1, 4), torch.zeros(24, dtype=torch.long)), "at most 16 latents"),
    ],
)
def test_what_is_no_answer_is_refused(
    task: Task, change: Callable[[Tensor, Tensor], tuple[Any, Any, Any]], complaint: str
) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        graded(task, *change(*some_answer(task)))


def test_no_answer_at_all_is_refused(task: Task) -> None:
    with pytest.raises(InvalidAnswer, match="Expected a FeatureAnswer, got a tuple"):
        TRACK.grade(task, 0, asked(task), some_answer(task))  # type: ignore[arg-type]


def test_a_question_that_is_skipped_is_no_answer(task: Task) -> None:
    key = CellKey(
        track="features",
        track_version=TRACK.version,
        scorer="shy",
        scorer_version="1",
        source_hash="",
        task=task.record.id,
        content_hash="",
        others_hash="",
        seed=0,
        device="cpu",
    )
    question = asked(task)
    twin = TRACK.twin_question(question, task)
    assert twin is not None
    questions = {"0": question, "0.twin": twin}
    answers = {name: plain(ORACLE.answer(some, task, [])) for name, some in questions.items()}
    (metrics,) = grade_cell(key, task, answers, questions)
    assert metrics["selectivity"] == pytest.approx(1, abs=0.3)
    with pytest.raises(InvalidAnswer, match="Expected an answer to each of the 2 questions"):
        grade_cell(key, task, {"0.twin": answers["0.twin"]}, questions)


def test_a_question_holds_neither_truth_nor_network_nor_inputs(task: Task) -> None:
    question = asked(task)
    names = {field.name for field in fields(FeatureQuestion)}
    assert names == {
        "site", "latents", "draw", "training", "evaluation", "before_training", "before_evaluation", "generator",
    }  # fmt: skip
    directions = {tuple(task.mechanism.tensor(item.direction).tolist()) for item in task.mechanism.features}
    for part in (question.training, question.evaluation):
        assert part.dtype == torch.float32
        assert not directions & set(map(tuple, part.tolist()))
    assert task.record.id not in repr(question)


def test_no_gauge_changes_a_score(task: Task, tmp_path: Path) -> None:
    network, rotation = random_gauge(task.network(), torch.Generator().manual_seed(3))
    assert rotation is not None
    domain = task.record.domain
    turned = hand_features.save(tmp_path, network, regauge_mechanism(task.mechanism, rotation), domain)  # type: ignore[arg-type]
    truth, question, again = truth_of(task), asked(task), asked(turned)
    assert torch.allclose(question.evaluation @ rotation, again.evaluation, atol=1e-5)
    assert score(turned, truth.directions @ rotation, truth.activations) == 1
    answer = at_random(question, 12, 0)
    one = graded(task, answer.directions, answer.activations)
    other = graded(turned, answer.directions @ rotation, answer.activations)
    assert one["truth_side"] == pytest.approx(other["truth_side"], abs=1e-4)
    assert one["score"] == pytest.approx(other["score"], abs=0.05)  # chance is drawn anew in the turned basis
