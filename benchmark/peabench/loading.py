"""A task in one call: by id from what is installed, what was downloaded, or the Hub; or from a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peabench.tasks import Task


def load_task(task: str | Path, revision: str | None = None) -> "Task":
    """A task by its id or its folder. Installed tasks need no network; others are downloaded once and verified.

    Its `network()` is an ordinary `nn.Module` in evaluation mode.

    Args:
        task: an id such as `boolean/tree-s-0`, or a folder as a path.
        revision: of the repository on the Hub, in place of the recorded one; then the task is taken from there.

    Raises:
        PeabenchError: there is no such task, its files are damaged, or it cannot be downloaded.

    >>> task = load_task("boolean/tree-xs-0")
    >>> task.network()(task.record.domain.all()).shape
    torch.Size([256, 1, 1])
    """
    from peabench.tasks import load_task as load_folder

    return load_folder(task if isinstance(task, Path) else _folder_of(task, revision))


def _folder_of(task: str, revision: str | None) -> Path:
    from peabench.catalogue import TASK_ID, bundled_tasks
    from peabench.errors import PeabenchError
    from peabench.snapshots import current_snapshots

    if not TASK_ID.fullmatch(task):
        if Path(task).is_dir():
            return Path(task)
        raise PeabenchError(f"Expected the id of one task, such as boolean/tree-s-0, or a folder, got {task!r}.")
    if revision is None:
        bundled = {summary.id: summary.folder for summary in bundled_tasks()}
        if task in bundled:
            return bundled[task]
        for snapshot in current_snapshots():
            if (snapshot.tasks / task).is_dir():
                from peabench.hub.downloading import verified

                return verified(task, snapshot)
        if Path(task).is_dir():
            return Path(task)
    return _from_the_hub(task, revision)


def _from_the_hub(task: str, revision: str | None) -> Path:
    from peabench.catalogue import installed_tasks
    from peabench.errors import PeabenchError
    from peabench.hub.downloading import download
    from peabench.hub.published import known_repo
    from peabench.registry import suggestion

    if known_repo() is None:
        hint = suggestion(task, (summary.id for summary in installed_tasks()), "peabench tasks")
        raise PeabenchError(f"There is no task {task!r} here, and no suite has been published on the Hub yet; {hint}")
    return download([task], revision=revision).folders[task]
