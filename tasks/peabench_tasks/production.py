"""What makers of families share: jobs in two processes, and tasks that need not be made again."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from joblib import Parallel, delayed

from peabench.certification import certify
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import Network
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, load_task, save_task
from peabench_tasks.card import write_certificate

JobT = TypeVar("JobT")


def certified_already(record: TaskRecord, folder: Path) -> bool:
    """Whether the folder holds this very task, with a certificate that passed (it is written last)."""
    return certified_folder(folder) and load_task(folder).record == record


def certified_folder(folder: Path) -> bool:
    """Whether the folder holds a task with a certificate that passed (it is written last)."""
    return (folder / CERTIFICATE_FILE).exists() and all(check.passed for check in load_task(folder).certificate)


def write_if_certified(out: Path, record: TaskRecord, network: Network, mechanism: Mechanism) -> str | None:
    """Certify a task and write its folder into `out`; where a check fails nothing is written, and it is named."""
    name = record.id.partition("/")[2]
    with TemporaryDirectory(dir=out, prefix=f".{name}.") as folder:
        path = Path(folder) / name
        save_task(path, record, network, mechanism, {})
        checks = certify(load_task(path))
        failures = [f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed]
        if not failures:
            write_certificate(path, checks)
            shutil.rmtree(out / name, ignore_errors=True)
            path.rename(out / name)
    return "; ".join(failures) or None


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
