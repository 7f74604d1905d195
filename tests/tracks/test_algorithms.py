import pytest
import torch
from rival_networks import FORMULAS, save_rivals

from peabench.tasks import Task
from peabench.tracks.algorithms import TRACK, AlgorithmAnswer, AlgorithmQuestion, Oracle


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.fixture(scope="module")
def question(task: Task) -> AlgorithmQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


def test_the_truth_earns_1_and_equal_scores_earn_0(task: Task, question: AlgorithmQuestion) -> None:
    assert TRACK.grade(task, 0, question, Oracle().answer(question, task, []))["score"] == 1
    alike = TRACK.grade(task, 0, question, AlgorithmAnswer(torch.full((len(FORMULAS),), 0.3)))
    assert alike["score"] == 0
    assert alike["auroc"] == pytest.approx(0.5)
    assert alike["top"] == pytest.approx(1 / len(FORMULAS))
