"""What is no answer is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from graded_features import ORACLE, asked, graded, truth_of
from torch import Tensor

from peabench.errors import InvalidAnswer
from peabench.grading import grade_cell
from peabench.plain import plain
from peabench.results import CellKey
from peabench.tasks import Task
from peabench.tracks.features import TRACK


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
        (lambda d, a: (d.to_sparse(), a, None), "dense tensor in 'directions'"),
        (lambda d, a: (d.to(torch.float8_e5m2), a, None), "real numbers in 'directions', got torch.float8"),
        (lambda d, a: (d, a.to("meta"), None), "got a tensor of the meta device"),
        (lambda d, a: (d, a, torch.arange(6, device="meta")), "got a tensor of the meta device"),
        (lambda d, a: (d, a, torch.arange(5)), r"integer subspaces \[6\]"),
        (lambda d, a: (d, a, torch.zeros(6)), r"integer subspaces \[6\]"),
        (lambda d, a: (d.repeat(4, 1), a.repeat(1, 4), torch.zeros(24, dtype=torch.long)), "at most 16 latents"),
    ],
)
def test_what_is_no_answer_is_refused(
    independent: Task, change: Callable[[Tensor, Tensor], tuple[Any, Any, Any]], complaint: str
) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        graded(independent, *change(*some_answer(independent)))


def test_no_answer_at_all_is_refused(independent: Task) -> None:
    with pytest.raises(InvalidAnswer, match="Expected a FeatureAnswer, got a tuple"):
        TRACK.grade(independent, 0, asked(independent), some_answer(independent))  # type: ignore[arg-type]


def test_a_question_that_is_skipped_is_no_answer(independent: Task) -> None:
    key = CellKey(
        track="features",
        track_version=TRACK.version,
        scorer="shy",
        scorer_version="1",
        source_hash="",
        task=independent.record.id,
        content_hash="",
        others_hash="",
        seed=0,
        device="cpu",
    )
    question = asked(independent)
    twin = TRACK.twin_question(question, independent)
    assert twin is not None
    questions = {"0": question, "0.twin": twin}
    answers = {name: plain(ORACLE.answer(some, independent, [])) for name, some in questions.items()}
    (metrics,) = grade_cell(key, independent, answers, questions)
    assert metrics["selectivity"] == pytest.approx(1, abs=0.3)
    with pytest.raises(InvalidAnswer, match="Expected an answer to each of the 2 questions"):
        grade_cell(key, independent, {"0.twin": answers["0.twin"]}, questions)
