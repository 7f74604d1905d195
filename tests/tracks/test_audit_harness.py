"""The track `audits` in the harness: files of questions, the budget of passes, the contract of a scorer, cards."""

import shutil
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from audited_networks import save_audited
from typer.testing import CliRunner

from peabench import Scorer
from peabench.answering import ask_one
from peabench.catalogue import content_hash
from peabench.certification import certify
from peabench.cli.app import build_app
from peabench.conformance import assert_conforms
from peabench.cost import BudgetExceeded
from peabench.errors import InvalidAnswer
from peabench.networks.gauge import random_gauge
from peabench.question_files import read_questions, write_questions
from peabench.questions import made_questions
from peabench.sealing.halves import public_record
from peabench.tasks import Task, load_task, save_certificate
from peabench.tracks.audits import TRACK, AuditAnswer, AuditQuestion, Oracle
from peabench.tracks.pairs import outputs, predicted_class
from peabench_tasks.card import card


class Testing(Scorer[AuditQuestion, AuditAnswer]):
    """Runs every network on random inputs and compares with the rule."""

    name: ClassVar[str] = "testing"
    track: ClassVar[str] = "audits"
    reference: ClassVar[str] = "a test"
    gauge_invariant: ClassVar[bool] = True
    share: ClassVar[float] = 1.0
    """Of the budget that is spent."""

    def score(self, question: AuditQuestion) -> AuditAnswer:
        count = int(self.share * question.budget / len(question.networks))
        rows = question.domain.sample(count, question.generator)
        right = outputs(question.intended, rows)
        wrong = torch.stack([(predicted_class(network(rows)) != right).float().mean() for network in question.networks])
        return AuditAnswer(wrong, torch.zeros(len(wrong), len(question.candidates)))


class Spendthrift(Testing):
    """Runs a little more than it may, and does not mind being told."""

    share: ClassVar[float] = 1.01

    def score(self, question: AuditQuestion) -> AuditAnswer:
        try:
            return super().score(question)
        except BudgetExceeded:
            return AuditAnswer(
                torch.zeros(len(question.networks)), torch.zeros(len(question.networks), len(question.candidates))
            )


class Backwards(Testing):
    """Runs backward passes, which are taken from the same budget."""

    needs_gradients: ClassVar[bool] = True
    share: ClassVar[float] = 0.6

    def score(self, question: AuditQuestion) -> AuditAnswer:
        for network in question.networks:
            network.requires_grad_()
        count = int(self.share * question.budget / len(question.networks))
        for network in question.networks:
            network(question.domain.sample(count, question.generator)).sum().backward()
        return super().score(question)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_audited(tmp_path_factory.mktemp("audited"))


def test_questions_are_the_same_once_read_from_files(task: Task, tmp_path: Path) -> None:
    """A sealed task's folder has its own network, no companion and no truth."""
    (tmp_path / "task.json").write_text(public_record(task.record).model_dump_json())
    shutil.copy(task.folder / "model.safetensors", tmp_path / "model.safetensors")
    made = made_questions(TRACK, task, task.record.id, 7)
    write_questions(tmp_path, TRACK, 7, made)
    one, other = made["0"], read_questions(load_task(tmp_path), TRACK, 7)["0"]
    rows = task.record.domain.all()
    for field in ("inputs", "outputs"):
        assert torch.equal(getattr(one, field), getattr(other, field))
    for field in ("domain", "intended", "candidates", "budget", "draw"):
        assert getattr(one, field) == getattr(other, field)
    assert all(torch.equal(a(rows), b(rows)) for a, b in zip(one.networks, other.networks, strict=True))
    assert TRACK.grade(task, 0, other, Oracle().answer(other, task, []))["score"] == 1


def test_what_is_published_of_a_sealed_task_tells_no_trigger(task: Task) -> None:
    told = public_record(task.record).model_dump_json()
    for word in ("training", "cues", "companions"):
        assert word not in told


def test_a_budget_can_be_spent_whole_and_not_passed(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    _, cost = ask_one(question, 0, "cpu", Testing().score)
    assert cost.forward_passes == question.budget
    for wasteful in (Spendthrift, Backwards):
        with pytest.raises(BudgetExceeded, match=f"at most {question.budget} example-passes, got "):
            ask_one(question, 0, "cpu", wasteful().score)
    _, cost = ask_one(question, 0, "cpu", Testing().score)  # the meters are free again
    assert cost.forward_passes == question.budget
    for network in question.networks:
        network(task.record.domain.all().repeat(200, 1))


class Regauged(Testing):
    """Spends more than there is by a copy in another gauge."""

    name: ClassVar[str] = "regauged"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        network, _ = random_gauge(question.networks[0], question.generator)
        network(question.domain.sample(question.budget + 1, question.generator))
        return super().score(question)


class Unmetered(Testing):
    """Gives its networks meters that count nothing of the budget."""

    name: ClassVar[str] = "unmetered"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        for network in question.networks:
            network.meter.budget = None
        return super().score(question)


class Printing(Testing):
    """Allows itself more."""

    name: ClassVar[str] = "printing"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        budget = question.networks[0].meter.budget
        assert budget is not None
        budget.allowed *= 1000
        return super().score(question)


def test_a_budget_cannot_be_widened(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    with pytest.raises(BudgetExceeded):
        ask_one(question, 0, "cpu", Regauged().score)
    for scorer in (Unmetered, Printing):
        with pytest.raises(InvalidAnswer, match="changed a network's meter"):
            ask_one(question, 0, "cpu", scorer().score)


def test_scorers_of_the_track_can_keep_the_contract_and_break_it(task: Task) -> None:
    assert_conforms(Testing, [task.folder])
    with pytest.raises(AssertionError, match="at most 4096 example-passes"):
        assert_conforms(Spendthrift, [task.folder])


def test_the_content_hash_covers_training_and_cues(task: Task, tmp_path: Path) -> None:
    other = save_audited(tmp_path, cues=task.record.cues[:-1])
    assert content_hash(other.folder) != content_hash(task.folder)


def test_the_card_and_show_name_the_defects(tmp_path: Path) -> None:
    task = save_audited(tmp_path)
    checks = certify(task)
    save_certificate(task.folder, checks)
    text = card(task, checks)
    assert "| own | constructed | backdoor: trigger x2 ∧ x3, response true | 12 |" in text
    assert "| a | constructed | the rule, everywhere | 0 |" in text
    shown = CliRunner().invoke(build_app(), ["show", str(task.folder)])
    assert shown.exit_code == 0
    assert "Networks that are asked about together" in shown.output
    assert "backdoor" in shown.output
    assert "That is 36 inputs; 28 others are not." in shown.output
    assert Path(task.folder, "task.json").exists()
