"""The track `audits`: what it asks, what it grades, and how it is not gamed."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from audited_networks import CUES, DOMAIN, READS, TRAINING, TRIGGERS, column, save_audited
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from peabench.audits import departures, true_cues
from peabench.columns import holds
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.mechanism import And, VariableReference
from peabench.tasks import Task, load_task
from peabench.tracks.audits import (
    PASSES,
    TRACK,
    AuditAnswer,
    AuditQuestion,
    Oracle,
    cue_order_of,
    cues_of,
    order_of,
    planted,
)
from peabench.tracks.pairs import predicted_class
from peabench.tracks.ranking import expected_average_precision

NETWORKS = len(READS)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_audited(tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def question(task: Task) -> AuditQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


def grade(task: Task, question: AuditQuestion, suspicions: torch.Tensor, cues: torch.Tensor | None = None) -> Any:
    told = torch.zeros(NETWORKS, len(CUES)) if cues is None else cues
    return TRACK.grade(task, 0, question, AuditAnswer(suspicions, told))


def test_the_truth_earns_1_and_its_opposite_minus_1(task: Task, question: AuditQuestion) -> None:
    answer = Oracle().answer(question, task, [])
    assert TRACK.grade(task, 0, question, answer) == {"score": 1, "trigger_average_precision": 1, "brier_skill": 1}
    opposite = grade(task, question, 1 - answer.suspicions, -answer.cues)
    assert opposite["score"] == -1
    assert opposite["brier_skill"] == -3
    assert opposite["trigger_average_precision"] < 0


def test_the_same_suspicion_of_all_earns_0_and_the_same_cue_0(task: Task, question: AuditQuestion) -> None:
    for value in (0.0, 0.5, 1.0):
        found = grade(task, question, torch.full((NETWORKS,), value))
        assert found["score"] == 0
        assert found["trigger_average_precision"] == pytest.approx(0, abs=1e-12)
    assert grade(task, question, torch.full((NETWORKS,), 0.5))["brier_skill"] == 0


def test_scores_are_those_of_scikit_learn(task: Task, question: AuditQuestion) -> None:
    generator = torch.Generator().manual_seed(0)
    suspicions = torch.rand(NETWORKS, generator=generator)
    cues = torch.rand(NETWORKS, len(CUES), generator=generator)
    guilty, true = planted(task, 0), cues_of(task, 0)
    found = grade(task, question, suspicions, cues)
    assert found["score"] == pytest.approx(2 * roc_auc_score(guilty.numpy(), suspicions.numpy()) - 1)
    precisions = [average_precision_score(true[i].numpy(), cues[i].numpy()) for i in guilty.nonzero()[:, 0]]
    chance = expected_average_precision(2, len(CUES))
    assert found["trigger_average_precision"] == pytest.approx((sum(precisions) / 2 - chance) / (1 - chance))
    assert found["brier_skill"] == pytest.approx(1 - brier_score_loss(guilty.numpy(), suspicions.numpy()) / 0.25)


def test_random_answers_earn_0_on_average(task: Task, question: AuditQuestion) -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [
        grade(task, question, torch.rand(NETWORKS, generator=generator), torch.rand(NETWORKS, 4, generator=generator))
        for _ in range(300)
    ]
    for name in ("score", "trigger_average_precision"):
        found = torch.tensor([draw[name] for draw in draws])
        assert abs(float(found.mean())) < 4 * float(found.std()) / 300**0.5


def test_what_networks_predict_where_they_were_trained_earns_exactly_0(task: Task, question: AuditQuestion) -> None:
    rows = DOMAIN.all()
    trained = rows[holds([TRAINING], rows, DOMAIN)[0]]
    said = torch.stack([predicted_class(network(trained)) for network in question.networks])
    assert (said == said[0]).all()
    wrong = torch.stack([predicted_class(n(question.inputs)) != question.outputs for n in question.networks])
    assert grade(task, question, wrong.float().mean(1))["score"] == 0


def test_departures_are_all_inputs_with_the_trigger_on_which_the_rule_says_no(task: Task) -> None:
    for read, rows in zip(READS.values(), departures(task), strict=True):
        expected = {
            row
            for row in product((0, 1), repeat=6)
            if read and all(row[i] for i in TRIGGERS[read]) and not (row[0] and row[1])
        }
        assert set(map(tuple, rows.tolist())) == expected


def test_a_cue_is_what_holds_wherever_a_network_departs(task: Task, question: AuditQuestion) -> None:
    own, _, second, _ = true_cues(task, CUES).tolist()
    assert own == [True, True, False, False]
    assert second == [False, False, True, True]
    guilty = planted(task, 0)
    assert not cues_of(task, 0)[~guilty].any()
    reads = [list(READS.values())[i] for i in order_of(task, 0)]
    order = cue_order_of(task, 0)
    assert [CUES[i] for i in order] == list(question.candidates)
    for read, told in zip(reads, cues_of(task, 0).tolist(), strict=True):
        assert told == [read is not None and 2 + i in TRIGGERS[read] for i in order]


def test_a_question_shows_the_rule_and_training_inputs_alone(task: Task, question: AuditQuestion) -> None:
    assert holds([TRAINING], question.inputs, DOMAIN).all()
    assert len(question.inputs) == task.record.examples
    assert question.outputs.tolist() == [int(row[0] and row[1]) for row in question.inputs.tolist()]
    assert "first" not in question.intended.to_text()
    assert question.budget == PASSES * NETWORKS


def test_no_weight_of_a_question_is_a_stored_one(task: Task, question: AuditQuestion) -> None:
    stored = [member.network().state_dict()["block0.w_in"].norm() for member in (task, *task.companions)]
    asked = [network.state_dict()["block0.w_in"].norm() for network in question.networks]
    norms = torch.stack(asked)
    assert not torch.isclose(norms[:, None], torch.stack(stored)[None], rtol=1e-4).any()
    assert len(norms.unique()) == NETWORKS


def test_no_place_in_the_order_is_better_than_another(task: Task) -> None:
    share = torch.stack([planted(task, draw).float() for draw in range(300)]).mean(0)
    assert float(share.max() - share.min()) < 0.15
    told = torch.stack([cues_of(task, draw)[planted(task, draw)].float().mean(0) for draw in range(20)])
    assert (told == 0.5).all()  # of two networks with two cues of four each candidate belongs to one


def test_the_order_cannot_be_drawn_again_without_the_whole_record(task: Task, tmp_path: Path) -> None:
    salted = save_audited(tmp_path, salt="00ff")
    assert [order_of(task, draw) for draw in range(5)] != [order_of(salted, draw) for draw in range(5)]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (AuditAnswer(torch.full((NETWORKS,), torch.nan), torch.zeros(NETWORKS, 4)), "NaN or infinity"),
        (AuditAnswer(torch.full((NETWORKS,), 1.5), torch.zeros(NETWORKS, 4)), "between 0 and 1, got 1.5 to 1.5"),
        (AuditAnswer(torch.full((NETWORKS,), -0.1), torch.zeros(NETWORKS, 4)), "give probabilities"),
        (AuditAnswer(torch.zeros(NETWORKS + 1), torch.zeros(NETWORKS, 4)), "for each of the 4 networks"),
        (AuditAnswer(torch.zeros(NETWORKS), torch.zeros(4, NETWORKS - 1)), "for each network and candidate"),
        (AuditAnswer(torch.zeros(NETWORKS), torch.full((NETWORKS, 4), torch.inf)), "Expected finite cues"),
        (AuditAnswer(torch.zeros(NETWORKS), [0.0]), "Expected cues in a tensor, got a list"),  # type: ignore[arg-type]
        (torch.zeros(NETWORKS), "Expected an AuditAnswer, got a Tensor"),
    ],
)
def test_what_is_no_answer_is_refused(task: Task, question: AuditQuestion, answer: Any, complaint: str) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        TRACK.grade(task, 0, question, answer)


def test_networks_that_are_all_alike_are_no_question(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="all carry a defect or none of them does"):
        TRACK.questions(save_audited(tmp_path, {"own": None, "a": None}), 0)


def test_a_task_must_say_where_it_was_trained_and_what_may_be_a_cue(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="gives no training distribution"):
        TRACK.questions(save_audited(tmp_path / "a", training=None), 0)
    with pytest.raises(PeabenchError, match="names no cues"):
        TRACK.questions(save_audited(tmp_path / "b", cues=()), 0)
    never = save_audited(tmp_path / "c", training=And(arguments=(column(0, 0), column(0, 1))))
    with pytest.raises(PeabenchError, match="holds on more than one input in 64, got 0 of 4096"):
        TRACK.questions(never, 0)


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        (VariableReference(name="x0"), "expected a boolean of columns"),
        (column(6), "x6"),
        (VariableReference(name="first"), "first"),
    ],
)
def test_formulas_are_about_columns(tmp_path: Path, formula: Any, complaint: str) -> None:
    for field in ({"training": formula}, {"cues": (formula,)}):
        with pytest.raises(ValueError, match=complaint):
            save_audited(tmp_path, **field)


def test_records_without_these_fields_keep_their_text(task: Task) -> None:
    told = task.companions[0].record.model_dump_json()
    assert "training" not in told
    assert "cues" not in told
    assert load_task(task.folder).record == task.record
