"""The gap between public and sealed scores: what over-fitting to public tasks looks like."""

from collections.abc import Sequence

from cells import cell

from peabench.gaps import gaps
from peabench.results import CellResult


def results(scorer: str, kind: str, scores: Sequence[float | None], role: str = "method") -> list[CellResult]:
    return [cell(scorer, f"{kind}/task-s-{i}", score, role) for i, score in enumerate(scores)]


def test_a_method_that_knows_the_public_tasks_by_heart_has_a_gap_and_an_honest_one_has_none() -> None:
    spread = [0.6, 0.7, 0.8, 0.9, 0.65, 0.75]
    public = results("learnt", "boolean", [1.0] * 6) + results("honest", "boolean", spread)
    sealed = results("learnt", "sealed", [0.1, 0.3, 0.2, 0.2, 0.1, 0.3]) + results("honest", "sealed", spread[::-1])
    learnt, honest = gaps(public, sealed)
    assert (learnt.scorer, round(learnt.gap, 9)) == ("learnt", 0.8)
    assert learnt.gap_interval is not None
    assert learnt.gap_interval[0] > 0.7
    assert abs(honest.gap) < 1e-9
    assert honest.gap_interval is not None
    assert honest.gap_interval[0] < 0 < honest.gap_interval[1]


def test_the_two_sets_of_tasks_are_drawn_apart() -> None:
    """Paired draws of equal scores would give an interval of no width."""
    scores = [0.1, 0.9, 0.2, 0.8, 0.5]
    (gap,) = gaps(results("a", "boolean", scores), results("a", "sealed", scores))
    assert gap.gap_interval is not None
    low, high = gap.gap_interval
    assert high - low > 0.3
    assert gap.public_interval is not None
    one = gap.public_interval[1] - gap.public_interval[0]
    assert 1.2 < (high - low) / one < 1.7  # the square root of 2


def test_a_scorer_that_left_tasks_out_or_ran_on_one_kind_alone_is_not_listed() -> None:
    public = results("whole", "boolean", [0.5, 0.6]) + results("holes", "boolean", [0.5, None])
    public += results("public-only", "boolean", [0.5, 0.6])
    sealed = results("whole", "sealed", [0.5, 0.6]) + results("holes", "sealed", [0.5, 0.6])
    assert [gap.scorer for gap in gaps(public, sealed)] == ["whole"]


def test_references_are_listed_with_their_role_and_one_task_gives_no_interval() -> None:
    (gap,) = gaps(results("oracle", "boolean", [1.0], "oracle"), results("oracle", "sealed", [1.0, 1.0], "oracle"))
    assert (gap.role, gap.public_interval, gap.sealed_interval, gap.gap_interval) == ("oracle", None, (1.0, 1.0), None)
