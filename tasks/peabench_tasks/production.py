"""What makers of families share: jobs in two processes, and tasks that need not be made again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from joblib import Parallel, delayed

from peabench.errors import PeabenchError
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, load_task

JobT = TypeVar("JobT")


def certified_already(record: TaskRecord, folder: Path) -> bool:
    """Whether the folder holds this very task, with a certificate that passed (it is written last)."""
    return certified_folder(folder) and load_task(folder).record == record


def certified_folder(folder: Path) -> bool:
    """Whether the folder holds a task with a certificate that passed (it is written last)."""
    return (folder / CERTIFICATE_FILE).exists() and all(check.passed for check in load_task(folder).certificate)


def make_all(
    family: str,
    jobs: Sequence[JobT],
    make: Callable[[JobT], tuple[int, list[str]]],
    progress: Callable[[str, float], None],
    total: int,
) -> None:
    """Do the jobs in two processes, each of which says how many tasks it had and what is wrong with those that fail.

    Raises:
        PeabenchError: some did not pass; those that passed are written.
    """
    runs = Parallel(n_jobs=2, return_as="generator_unordered")(delayed(make)(job) for job in jobs)
    progress(family, 0.0)
    done, failed = 0, list[str]()
    for size, problems in runs:
        done += size
        failed += problems
        progress(family, done / total)
    if failed:
        raise PeabenchError(f"{len(failed)} of {total} tasks were not certified: {'; '.join(failed)}; train again.")
