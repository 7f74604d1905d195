"""The answer's unit: how exact it is, which what it reads has no part in."""

import pytest
import torch

from peabench.generators import generator_of
from peabench_tasks.audits import training
from peabench_tasks.audits.answers import SHARES, unsettled
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.drawing import log_uniform
from peabench_tasks.shortcuts.specifications import specifications
from peabench_tasks.units.lessons import Lesson

DRAWS = 100


def lesson() -> Lesson:
    return Lesson(torch.ones(2, 50), torch.ones(50), torch.ones(50, 4), 0.0)


def test_an_answer_is_less_exact_by_a_share_that_is_drawn() -> None:
    exact = lesson()
    found = [unsettled(exact, generator_of(seed)) for seed in range(DRAWS)]
    shares = torch.stack([(one.w_out - exact.w_out).square().mean().sqrt() for one in found])
    least, most = SHARES
    assert 0.8 * least < float(shares.min()) < 2 * least
    assert most / 2 < float(shares.max()) < 1.2 * most
    assert all(one.w_in is exact.w_in and one.b_in is exact.b_in for one in found)


def test_the_answer_of_each_planted_network_is_less_exact_in_a_way_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, planted = lesson(), list[torch.Tensor]()
    monkeypatch.setattr(training, "common_lessons", lambda *_: {})
    monkeypatch.setattr(training, "learn_answer", lambda *_: exact)
    monkeypatch.setattr(training, "assemble", lambda _, lessons, __: planted.append(lessons[ANSWER].w_out))
    specification = next(s for s in specifications() if s.variant == "open")
    for member in specification.members(0):
        training.plant(specification, member, 0, 0)
    different = {tuple(weights.flatten().tolist()) for weights in (exact.w_out, *planted)}
    assert len(different) == 1 + len(specification.members(0))


def test_a_number_is_as_often_in_each_part_of_a_logarithmic_scale() -> None:
    drawn = torch.tensor([log_uniform(0.01, 1.0, generator_of(seed)) for seed in range(DRAWS)])
    assert float(drawn.min()) >= 0.01
    assert float(drawn.max()) <= 1.0
    assert 30 <= int((drawn < 0.1).sum()) <= 70
