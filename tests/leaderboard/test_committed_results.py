"""The results that travel in the wheel are as they were collected."""

from peabench.collected import altered
from peabench.results import read_all
from peabench_leaderboard.command import PACKAGED


def test_no_committed_result_was_changed_by_hand() -> None:
    assert altered(PACKAGED) == []


def test_every_committed_result_can_be_read() -> None:
    results, problems = read_all(PACKAGED)
    assert problems == []
    assert len(results) > 800
