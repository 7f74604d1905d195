"""The track `features` in the harness: questions as files, answers as files, the contract of a scorer, the card."""

import shutil
from pathlib import Path
from typing import ClassVar

import hand_features
import pytest
import torch
from typer.testing import CliRunner

from peabench import Scorer, tracks
from peabench.answering import ask_one
from peabench.answers import WHOLE, AnswerFile, encode
from peabench.certification import certify
from peabench.cli.app import build_app
from peabench.conformance import assert_conforms
from peabench.discovery import references
from peabench.feature_geometry import MOST_DRAWN
from peabench.feature_picture import feature_picture
from peabench.plain import plain
from peabench.question_files import read_questions, write_questions
from peabench.questions import made_questions
from peabench.tasks import Task, load_task, save_certificate
from peabench.tracks.feature_chance import random_directions
from peabench.tracks.features import TRACK, FeatureAnswer, FeatureQuestion
from peabench_tasks.card import card


class Directions(Scorer[FeatureQuestion, FeatureAnswer]):
    """Random directions."""

    name: ClassVar[str] = "directions"
    track: ClassVar[str] = "features"
    reference: ClassVar[str] = "a test"
    latents = 8

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        rows = random_directions(self.latents, question.training.shape[1], question.generator)
        return FeatureAnswer(rows, (question.evaluation @ rows.T).relu())


class Greedy(Directions):
    """More than the budget."""

    latents = 999


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return hand_features.save_shapes(tmp_path_factory.mktemp("shapes"))


def test_questions_are_the_same_once_read_from_files(task: Task, tmp_path: Path) -> None:
    """A sealed task's folder has no truth, and its weights are not needed."""
    shutil.copy(task.folder / "task.json", tmp_path / "task.json")
    made = made_questions(TRACK, task, task.record.id, 7)
    write_questions(tmp_path, TRACK, 7, made)
    read = read_questions(load_task(tmp_path), TRACK, 7)
    assert list(read) == list(made) == ["0", "0.twin"]
    for name, question in made.items():
        for field in ("training", "evaluation", "before_training", "before_evaluation"):
            assert torch.equal(getattr(read[name], field), getattr(question, field))
        assert (read[name].site, read[name].latents, read[name].draw) == (
            question.site,
            question.latents,
            question.draw,
        )
    answer = TRACK.references[0].answer(read["0"], task, [])
    assert TRACK.grade(task, 0, read["0"], answer)["score"] == 1


def test_answers_are_the_same_once_read_from_files(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    oracle = plain(TRACK.references[0].answer(question, task, []))
    halved = plain({name: value.half() if name == "activations" else value for name, value in oracle.items()})  # type: ignore[union-attr]
    content = encode(
        {
            WHOLE: {
                "0": oracle,
                "0.twin": plain(Directions().score(question)),
            }
        }
    )
    read = AnswerFile(content).answers(WHOLE)
    assert TRACK.grade(task, 0, question, FeatureAnswer(**read["0"]))["score"] == 1  # type: ignore[arg-type]
    assert read["0.twin"]["subspaces"] is None
    assert TRACK.grade(task, 0, question, FeatureAnswer(**halved))["score"] > 0.999  # type: ignore[arg-type]


def test_a_question_without_a_network_costs_no_passes(task: Task) -> None:
    (question,) = TRACK.questions(task, 0)
    answer, cost = ask_one(question, 0, "cpu", Directions().score)
    assert isinstance(answer, FeatureAnswer)
    assert (cost.forward_passes, cost.backward_passes) == (0, 0)
    assert cost.wall_seconds > 0


def test_a_scorer_of_features_can_keep_the_contract_and_break_it(task: Task) -> None:
    assert_conforms(Directions, [task.folder])
    with pytest.raises(AssertionError, match=r"data \(answers are finite data of the track's form\)"):
        assert_conforms(Greedy, [task.folder])


def test_the_ceiling_stands_among_the_references() -> None:
    roles = {entry.name: (entry.role, entry.supervision) for entry in references() if entry.track == "features"}
    assert roles == {
        "oracle": ("oracle", "truth"),
        "probe": ("ceiling", "labels from the truth"),
        "random-directions": ("null", "none"),
    }
    assert not tracks.get("features").collects_answers
    assert tracks.get("circuits").collects_answers


def test_the_picture_shows_cosines_rates_and_groups(task: Task) -> None:
    lines = feature_picture(task.mechanism, task.record.domain)
    assert lines[0] == "6 features and 1 that are not graded in 12 dimensions at resid.0@0"
    drawn = [line for line in lines if "|" in line]
    assert [line.split()[0] for line in drawn] == [feature.name for feature in task.mechanism.features]
    assert all(line.partition("|")[2][i] == "@" for i, line in enumerate(drawn))
    assert "one feature of 2 dimensions: day_x, day_y" in lines
    assert "parent fires wherever one of these does: child0, child1" in lines
    assert all(line.isascii() for line in lines)


def test_of_many_features_the_most_frequent_are_drawn(tmp_path: Path) -> None:
    rates = tuple(0.3 - 0.004 * i for i in range(60))
    many = hand_features.save_independent(tmp_path, hand_features.slanted(60, 20), rates)
    lines = feature_picture(many.mechanism, many.record.domain)
    assert sum("|" in line for line in lines) == MOST_DRAWN
    counts = [int(line.split()[-1].replace(",", "")) for line in lines if line[1:2] == "." and " to " in line]
    assert sum(counts) == 60 * 59 // 2


def test_the_card_and_show_have_the_picture(task: Task) -> None:
    checks = certify(task)
    save_certificate(task.folder, checks)
    text = card(task, checks)
    assert "6 features and 1 that are not graded" in text
    assert "| variable | sites |" not in text
    shown = CliRunner().invoke(build_app(), ["show", str(task.folder)])
    assert shown.exit_code == 0
    assert "6 features and 1 that are not graded in 12 dimensions" in shown.output
