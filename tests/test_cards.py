"""The cards of shipped tasks say what is stored now."""

from itertools import groupby

import pytest

from peabench.catalogue import TaskSummary, bundled_tasks
from peabench.tasks import load_task
from peabench_tasks.card import card

FIRST = [next(tasks) for _, tasks in groupby(bundled_tasks(), key=lambda task: task.family)]
"""Of each family."""


@pytest.mark.parametrize("summary", FIRST, ids=[summary.id for summary in FIRST])
def test_a_card_is_what_its_task_says(summary: TaskSummary) -> None:
    task = load_task(summary.folder)
    assert (summary.folder / "README.md").read_text() == card(task, task.certificate), (
        f"run `python -m peabench_tasks.card '{summary.family}/*'`"
    )
