"""Where variables go."""

import pytest
from tests.units.conftest import CONFIG, LEFT, RIGHT

from peabench_tasks.units.plan import beside, draw_plan


def test_what_reads_inputs_alone_is_computed_first_and_bystanders_beside_it() -> None:
    places = set()
    for seed in range(20):
        plan = draw_plan(LEFT.model, RIGHT.model, CONFIG, seed)
        assert plan.units["ab"][0] == 0
        assert plan.units["answer"][0] == 1
        assert len(set(plan.units.values())) == len(plan.units) == 3
        assert plan.alarm is not None
        assert (0, plan.alarm) not in plan.units.values()
        assert list(plan.sites("ab")) == [1]
        assert list(plan.sites("answer")) == [2]
        assert list(plan.sites("a")) == [0]
        places.add(tuple(plan.units.values()))
    assert len(places) > 2


def test_a_bait_s_variables_that_the_model_has_are_no_bystanders() -> None:
    assert [variable.name for variable in beside(LEFT.model, RIGHT.model)] == ["bc"]
    assert beside(LEFT.model, LEFT.model) == beside(LEFT.model, None) == ()


def test_codes_are_drawn_for_inner_variables_alone() -> None:
    drawn = {draw_plan(LEFT.model, None, CONFIG, seed).orders["ab"] for seed in range(20)}
    assert len(drawn) > 2
    plan = draw_plan(LEFT.model, None, CONFIG, 0)
    assert plan.orders["a"] == plan.orders["answer"] == (0, 1, 2)


def test_a_network_that_is_too_small_is_named() -> None:
    narrow = CONFIG.model_copy(update={"n_blocks": 1})
    with pytest.raises(RuntimeError, match="do not fit 1 blocks"):
        draw_plan(LEFT.model, None, narrow, 0)
