import pytest
import torch
from rival_networks import save_rivals

from peabench.tasks import Task
from peabench.tracks.universality import TRACK, Oracle, UniversalityAnswer, UniversalityQuestion


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.fixture(scope="module")
def question(task: Task) -> UniversalityQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


def test_the_truth_earns_1_and_equal_similarities_earn_0(task: Task, question: UniversalityQuestion) -> None:
    assert TRACK.grade(task, 0, question, Oracle().answer(question, task, []))["score"] == 1
    assert TRACK.grade(task, 0, question, UniversalityAnswer(torch.ones(len(question.pairs))))["score"] == 0
