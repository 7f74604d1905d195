"""Networks put together from lessons are right at once; their shadows write where the circuit does not read."""

import pytest
import torch

from peabench.networks.config import TransformerConfig
from peabench_tasks.planting import lessons
from peabench_tasks.planting.assembly import SWAY, cut, draw_shadows, room_for_shadows
from peabench_tasks.planting.lessons import NotLearnt
from peabench_tasks.planting.placement import Placement, draw_placement
from peabench_tasks.planting.program import TOKENS
from peabench_tasks.planting.training import begin, sampled_errors
from peabench_tasks.programs.library import dyck, reverse


def placed(seed: int, d_model: int = 30) -> Placement:
    program = dyck(6, 3)
    config = TransformerConfig(
        d_vocabulary=3, n_positions=6, d_model=d_model, n_blocks=4, n_heads=4, d_head=6, d_mlp=8, d_output=3
    )
    return draw_placement(program, config, seed)


@pytest.mark.parametrize("seed", range(10))
def test_shadows_take_idle_nodes_and_read_what_is_written_before(seed: int) -> None:
    placement = placed(seed)
    shadows = draw_shadows(placement, seed, room_for_shadows(placement.program, placement.config))
    taken = [*placement.heads.values(), *((block, None) for block in placement.mlps.values())]
    places = [shadow.place for shadow in shadows]
    assert len(set(places)) == len(places)
    assert not set(places) & set(taken)
    moments = {TOKENS: -1} | {v: placement.moment(v) for v in [*placement.heads, *placement.mlps]}
    for shadow in shadows:
        moments[shadow.name] = 2 * shadow.place[0] + (shadow.place[1] is None)
        read = [name or parent for parent, name in shadow.parents.items()]
        assert all(moments[name] < moments[shadow.name] for name in read)
    assert sum(shadow.sway for shadow in shadows) == pytest.approx(SWAY)


def test_no_two_variables_share_a_direction() -> None:
    placement = placed(0)
    shadows = draw_shadows(placement, 0, room_for_shadows(placement.program, placement.config))
    stream = cut(placement, shadows, 0)
    held = torch.cat([stream.directions(name) for name in stream.spans] + [stream.basis[:, stream.rest]], 1)
    assert held.shape == (30, 30)
    torch.testing.assert_close(held.T @ held, torch.eye(30), atol=1e-5, rtol=0)


def test_a_narrow_stream_is_refused() -> None:
    with pytest.raises(RuntimeError, match="needs"):
        room_for_shadows(placed(0).program, placed(0, d_model=16).config)


def steps_of_lessons(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in lessons.STEPS:
        monkeypatch.setitem(lessons.STEPS, part, count)


def test_networks_are_right_when_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    program = reverse(6, 3)
    config = TransformerConfig(
        d_vocabulary=4,
        n_positions=6,
        d_model=24,
        n_blocks=2,
        n_heads=4,
        d_head=6,
        d_mlp=16,
        d_output=program.n_outputs,
    )
    placements = [draw_placement(program, config, seed) for seed in range(2)]
    steps_of_lessons(300, monkeypatch)  # enough for so short a program
    right = begin(placements, [0, 1], 0)
    assert int(sampled_errors(right, pools=3).sum()) == 0
    right.stack.parameters["w_position"].data.mul_(-1)  # the check can fail
    assert int(sampled_errors(right, pools=1).min()) > 0
    steps_of_lessons(2, monkeypatch)
    with pytest.raises(NotLearnt, match="mirrored"):
        begin(placements, [0, 1], 0)
