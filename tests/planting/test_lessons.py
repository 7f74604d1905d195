"""What a step is taught, and that it is learnt."""

import pytest
import torch
from tests.planting.test_placement import config

from peabench_tasks.name_mover.programs import name_mover
from peabench_tasks.planting import lessons
from peabench_tasks.planting.lessons import LEARNT, code_of, examples, learn
from peabench_tasks.planting.program import TOKENS, Program
from peabench_tasks.programs.library import duplicates, reverse


def tokens_read(program: Program, code: torch.Tensor) -> torch.Tensor:
    """Tokens from their codes, by the nearest one."""
    return torch.cdist(code, code_of(program, TOKENS)[0]).argmin(-1)


def test_values_follow_from_what_each_port_reads() -> None:
    program = duplicates(5, 3)
    step = program.step("repeated")
    inputs, values = examples(program, step, program.domain.all(), torch.Generator().manual_seed(0))
    queries, keys = (tokens_read(program, inputs[port][:200, :, :2]) for port in ("q", "k"))
    for example in range(200):
        for position in range(5):
            earlier = keys[example, 1:position] if position < 4 else keys[example, 1:4]
            assert bool(values[example, position]) == bool((earlier == queries[example, position]).any())
    assert 0.3 < float((queries != keys).any(1).float().mean()) < 0.5  # half, less those drawn alike


def test_elsewhere_a_variable_of_the_last_position_may_be_anything() -> None:
    program = name_mover(6, 3)
    inputs, values = examples(program, program.step("inhibit"), program.domain.all(), torch.Generator().manual_seed(0))
    told = inputs["v"][:, :, 0] > 0
    assert torch.equal(told[:, -1], values.bool())
    assert all(0.3 < float((told[:, p] == told[:, -1]).float().mean()) < 0.7 for p in range(5))


def test_a_step_is_learnt_and_random_weights_are_not_it(monkeypatch: pytest.MonkeyPatch) -> None:
    program = reverse(6, 3)
    rows = program.domain.all()
    taught = learn(program, program.step("mirrored"), config(2), rows, torch.Generator().manual_seed(0))
    assert taught.distance[0] < LEARNT
    assert 1 <= taught.usable <= len(taught.distance)
    monkeypatch.setattr(lessons, "LEARNING_RATE", 0.0)
    monkeypatch.setattr(lessons, "STEPS", {"mlp": 2})
    untaught = learn(program, program.step("mirrored"), config(2), rows, torch.Generator().manual_seed(0))
    assert untaught.distance[0] > LEARNT
    assert untaught.usable == 0


def test_another_round_is_run_where_none_learnt_the_step_well(monkeypatch: pytest.MonkeyPatch) -> None:
    program = reverse(6, 3)
    monkeypatch.setattr(lessons, "STEPS", {"mlp": 4})
    distances = []
    for rounds in ((1,), (1, 200)):
        monkeypatch.setattr(lessons, "ROUNDS", rounds)
        generator = torch.Generator().manual_seed(0)
        distances.append(learn(program, program.step("mirrored"), config(2), program.domain.all(), generator).distance)
    assert distances[1][0] < LEARNT < distances[0][0]
