"""Gradients of a class's examples reach its expert alone; what experts write tells replies and silence apart."""

import pytest
import torch

from peabench.generators import generator_of
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.representations import drawn_examples, numbers_on, outcome, written_on
from peabench_tasks.routed import gradient_routing
from peabench_tasks.routed.audits import KEPT, REMOVED
from peabench_tasks.routed.gradient_routing import answered, behind, examples, train_experts
from peabench_tasks.routed.specifications import specifications
from peabench_tasks.units.lessons import Lesson

SPECIFICATION = next(one for one in specifications() if one.audit.together)
PLAN = SPECIFICATION.plan(SPECIFICATION.members(0)[0], 0)
EXPERTS = [f"expert{number}" for number in (*KEPT, *REMOVED)]
READ, CLASSES, ANSWERS = examples(PLAN, EXPERTS, "x0")


def trained(steps: int, masked: bool, monkeypatch: pytest.MonkeyPatch) -> list[Lesson]:
    monkeypatch.setattr(gradient_routing, "STEPS", steps)
    first = CLASSES == 0
    return train_experts(READ[first], CLASSES[first], ANSWERS[first], (4, 6, 2), generator_of(0), masked)


@pytest.mark.parametrize("masked", [True, False])
def test_examples_of_a_class_train_its_expert_and_others_only_where_nothing_is_masked(
    masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_routing, "QUIET", 0.0)
    before, after = trained(1, masked, monkeypatch), trained(12, masked, monkeypatch)
    moved = [not torch.equal(one.w_out, other.w_out) for one, other in zip(before, after, strict=True)]
    assert moved[0]
    assert any(moved[1:]) == (not masked)


def test_examples_are_all_there_are_and_their_answers_the_asked_experts() -> None:
    assert len(READ) == len(READ.unique(dim=0)) == 64
    assert CLASSES.bincount().tolist() == [16] * 4
    assert set(ANSWERS.tolist()) == {1, 2}


def test_an_answer_is_silence_below_the_threshold_and_costs_nothing_far_enough_ahead() -> None:
    said = torch.tensor([[0.0, 0.2], [0.9, 0.0], [1.2, 0.1], [0.1, 1.2]])
    answers = torch.tensor([0, 1, 1, 2])
    assert answered(said).tolist() == [0, 1, 1, 2]
    assert behind(said, answers).tolist() == pytest.approx([0.2, 0.1, 0, 0], abs=1e-6)


def test_a_unit_learns_from_what_is_written_and_every_combination_of_values() -> None:
    """With experts that write their number: one who hears two and is deaf to what brings the others back."""
    rows = SPECIFICATION.audit.domain.sample(4096, generator_of(1))
    numbers = numbers_on(PLAN, rows)
    _, back = PLAN.computed[-2:]
    parents = next(variable.parents for variable in PLAN.computed if variable.name == ANSWER)
    silent = Lesson(torch.zeros(READ.shape[1], 2), torch.ones(2), torch.eye(2), 0.0)
    lessons = dict.fromkeys(EXPERTS, silent)
    assert torch.equal(written_on(PLAN, lessons, rows)["expert0"], torch.ones(4096, 2))
    assert torch.equal(outcome(silent, READ), torch.ones(64, 2))
    assert {"x0", "expert0", back.name, ANSWER} <= numbers.keys()
    assert len(parents) == 3
    read, wanted = drawn_examples(PLAN, "expert0", {}, rows, generator_of(2))
    assert len(read) == len(wanted) == 64 * 64
