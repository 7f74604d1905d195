"""A small submission: answers at random to the circuits question of one task, which is a suite of its own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from peabench.catalogue import installed_tasks
from peabench.cells import run_cell
from peabench.discovery import find_scorers
from peabench.plain import Answer
from peabench.results import save
from peabench.runner import plan
from peabench.suites import Suite, frozen
from peabench.tasks import Task, load_task
from peabench_leaderboard.submissions.archive import SUFFIX, archive_of
from peabench_leaderboard.submissions.making import submission_of
from peabench_leaderboard.submissions.submission import Submission

TASK = "boolean/tree-xs-0"


@dataclass(frozen=True)
class Small:
    """A submission, all that it was made from, and the scores of the run that made it."""

    suite: Suite
    tasks: dict[str, Task]
    submission: Submission
    answers: dict[str, dict[str, Answer]]
    content: bytes
    score: float

    def write(self, folder: Path, content: bytes | None = None) -> Path:
        path = folder / f"small{SUFFIX}"
        path.write_bytes(self.content if content is None else content)
        return path


def made(scorer: str, folder: Path) -> Small:
    (entry,) = find_scorers([scorer])[0]
    (summary,) = [task for task in installed_tasks() if task.id == TASK]
    suite = frozen("one", 3, "One task.", [summary])
    (cell,) = plan([entry], suite)
    outcome = run_cell(cell)
    save(outcome.result, folder, outcome.answers)
    submission, answers = submission_of(
        [outcome.result], folder, entry, suite, "small", ["A. Nyone"], "https://example.org"
    )
    content = archive_of(submission, answers)
    return Small(
        suite, {TASK: load_task(summary.folder)}, submission, answers, content, outcome.result.metrics["score"]
    )


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Of the track `circuits`."""
    return made("random-edges", tmp_path_factory.mktemp("circuits"))


@pytest.fixture(scope="session")
def small_variables(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Of the track `variables`, with answers about the twin."""
    return made("random-subspace", tmp_path_factory.mktemp("variables"))
