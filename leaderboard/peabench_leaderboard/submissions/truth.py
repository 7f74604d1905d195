"""The suite and the tasks that a submission is graded on: installed ones, or the kept half of a sealed suite."""

from pathlib import Path
from typing import TYPE_CHECKING

from peabench.errors import PeabenchError
from peabench.suites import Suite, difference, get_suite, tasks_of
from peabench_leaderboard.submissions.submission import Submission

if TYPE_CHECKING:
    from peabench.tasks import Task


def suite_with_truth(submission: Submission, kept: Path | None) -> tuple[Suite, dict[str, "Task"]]:
    """The suite that a submission answers, and its tasks by id, with their truth.

    Args:
        submission: which says what suite.
        kept: the private half of a sealed suite; None for installed tasks.

    Raises:
        PeabenchError: the suite is not here, a task of it is not the one that it froze or committed to, or has no
            truth.
    """
    if kept is not None:
        from peabench.sealing import open_truth, sealed_suite

        return sealed_suite(kept), open_truth(kept)
    suite, tasks = suite_to_answer(submission.suite.name)
    if not all(task.has_truth for task in tasks.values()):
        raise PeabenchError(
            f"The truth of {suite.name} is withheld; who keeps it grades with `peabench grade --truth DIR`."
        )
    return suite, tasks


def suite_to_answer(name: str) -> tuple[Suite, dict[str, "Task"]]:
    """A suite by its name, or the folder of its published half, and its tasks by id.

    Raises:
        PeabenchError: there is none, or a task of it is not the one that it froze.
    """
    suite = get_suite(name)
    return suite, _frozen_tasks(suite)


def _frozen_tasks(suite: Suite) -> dict[str, "Task"]:
    from peabench.tasks import load_task

    summaries = tasks_of(suite)
    for summary in summaries:
        problem = difference(suite, summary)
        if problem is not None:
            raise PeabenchError(problem)
    return {summary.id: load_task(summary.folder) for summary in summaries}
