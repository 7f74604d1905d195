"""The private half of a sealed suite: opened to grade answers, and held against the public half once it is revealed."""

from collections.abc import Callable
from pathlib import Path

from peabench.catalogue import QUESTIONS, content_hash
from peabench.certification import certify, contradiction
from peabench.errors import PeabenchError
from peabench.mechanism.files import read_file
from peabench.sealing.commitments import broken_commitment
from peabench.sealing.halves import publishes_weights, question_contents
from peabench.suites import Suite, get_suite, suite_in, tasks_of
from peabench.tasks import LARGEST_CHECKPOINT_BYTES, WEIGHTS_FILE, Task, load_task

LOTS_FILE = "lots.json"
"""In the private half: what each task really is."""


def sealed_suite(folder: Path) -> Suite:
    """The suite document of either half.

    Raises:
        PeabenchError: there is none, or it is of a suite that is not sealed.
    """
    return _sealed(suite_in(folder))


def open_truth(private: Path) -> dict[str, Task]:
    """The tasks of a sealed suite with their truth, by id.

    Raises:
        PeabenchError: a task is missing, or is not the one that was committed to.
    """
    suite = sealed_suite(private)
    return {task_id: _committed(suite, task_id, private) for task_id in suite.tasks}


def verify_truth(
    private: Path, public: str | Path, progress: Callable[[str, float], None] = lambda task, share: None
) -> dict[str, str | None]:
    """Hold a revealed truth against what was published: for each task None, or one sentence on what is wrong.

    Commitment, questions and, where they were published, weights are compared with the revealed ones, and the
    certificate is measured again on these weights.

    Args:
        private: the revealed half.
        public: the published half, or the name of a suite that was downloaded.
        progress: told each task's id and the share of tasks done before it.

    Raises:
        PeabenchError: the halves are of different suites.
    """
    suite, revealed = _sealed(get_suite(str(public))), sealed_suite(private)
    if (suite.name, suite.version, set(suite.tasks)) != (revealed.name, revealed.version, set(revealed.tasks)):
        raise PeabenchError(f"{private} holds the truth of {revealed.name}, and {public} is {suite.name}.")
    problems: dict[str, str | None] = {}
    for done, task_id in enumerate(suite.tasks):
        progress(task_id, done / len(suite.tasks))
        try:
            (published,) = tasks_of(suite, [task_id])
            problems[task_id] = _problem(suite, task_id, private, published.folder)
        except PeabenchError as error:
            problems[task_id] = str(error)
    return problems


def task_folder(half: Path, task_id: str) -> Path:
    """Where a half keeps a task."""
    return half / task_id.partition("/")[2]


def _sealed(suite: Suite) -> Suite:
    if not suite.sealed:
        raise PeabenchError(f"The suite {suite.name} is not sealed; its tasks' truth is public.")
    return suite


def _committed(suite: Suite, task_id: str, private: Path) -> Task:
    folder = task_folder(private, task_id)
    problem = broken_commitment(suite, task_id, folder)
    if problem is not None:
        raise PeabenchError(problem)
    task = load_task(folder)
    if task.record.id != task_id:
        raise PeabenchError(f"{folder} holds {task.record.id}, not {task_id}; restore the folder as it was sealed.")
    return task


def _problem(suite: Suite, task_id: str, private: Path, folder: Path) -> str | None:
    """What is wrong with the revealed truth of a task, or with what was published of it in a folder."""
    published = load_task(folder)
    if content_hash(published.folder) != suite.tasks[task_id]:
        return f"The published {task_id} in {published.folder} is not what {suite.name} froze; fetch it again."
    task = _committed(suite, task_id, private)
    shown = publishes_weights(task.record)
    if shown and _content(task.folder, WEIGHTS_FILE) != _content(published.folder, WEIGHTS_FILE):
        return f"The truth of {task_id} was revealed about other weights than the published ones."
    for track in task.record.tracks:
        for name, content in question_contents(task, track).items():
            if _content(published.folder / QUESTIONS, name) != content:
                return f"The published {QUESTIONS}/{name} of {task_id} is not what the revealed truth asks."
    for part in (task, *task.companions):
        checks = certify(part)
        failed = next((check for check in checks if not check.passed), None)
        if failed is not None:
            return (
                f"The revealed truth of {task_id} is not true of its weights: {failed.name} fails {failed.errors} of "
                f"{failed.cases} cases."
            )
        contradicted = contradiction(part, checks)
        if contradicted is not None:
            return f"The revealed truth of {task_id} contradicts itself: {contradicted}."
    return None


def _content(folder: Path, name: str) -> bytes:
    return read_file(folder, name, LARGEST_CHECKPOINT_BYTES)
