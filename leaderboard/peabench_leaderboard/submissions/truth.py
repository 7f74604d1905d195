"""The suite and the tasks that a submission is graded on: installed ones, or the kept half of a sealed suite."""

from pathlib import Path
from typing import TYPE_CHECKING

from peabench.errors import PeabenchError
from peabench.suites import Suite, difference, get_suite, tasks_of
from peabench_leaderboard.submissions.submission import Submission

if TYPE_CHECKING:
    from peabench.tasks import Task


def suite_with_truth(submission: Submission, kept: Path | None) -> tuple[Suite, dict[str, "Task"]]:
    """The suite that a submission answers, and its tasks by id.

    Args:
        submission: which says what suite.
        kept: the private half of a sealed suite; None for installed tasks.

    Raises:
        PeabenchError: the suite is not installed, or a task of it is not the one that it froze or committed to, or has
            no truth.
    """
    if kept is not None:
        from peabench.sealing import open_truth, sealed_suite

        return sealed_suite(kept), open_truth(kept)
    suite = get_suite(submission.suite.name)
    tasks = _installed(suite)
    withheld = [name for name, task in tasks.items() if not task.has_truth]
    if withheld:
        raise PeabenchError(
            f"The truth of {withheld[0]} is withheld; who keeps it grades with `peabench grade --truth DIR`."
        )
    return suite, tasks


def truth_is_public(submission: Submission, given: str) -> bool:
    """Whether the truth of a submission's tasks is here for everyone.

    Args:
        submission: which says what suite.
        given: name or folder of a suite, which is that one where their names agree; else an installed one is meant.
    """
    suite = get_suite(given)
    if suite.name != submission.suite.name:
        suite = get_suite(submission.suite.name)
    return all(task.has_truth for task in _installed(suite).values())


def _installed(suite: Suite) -> dict[str, "Task"]:
    from peabench.tasks import load_task

    summaries = tasks_of(suite)
    for summary in summaries:
        problem = difference(suite, summary)
        if problem is not None:
            raise PeabenchError(problem)
    return {summary.id: load_task(summary.folder) for summary in summaries}
