"""What makers of families share: which tasks are wanted, jobs in two processes, and tasks made already."""

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

from joblib import Parallel, delayed

from peabench.certification import Check, certify
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import Network
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, load_task, save_task
from peabench_tasks.card import write_certificate

ANEW = 100_000
"""How far apart the seeds of a network's starts are."""

JobT = TypeVar("JobT")
NetworkT = TypeVar("NetworkT", bound=Network)

log = logging.getLogger(__name__)


class Named(Protocol):
    """A task to be made, by the second part of its id."""

    @property
    def name(self) -> str:
        """Such as `tree-s-0`."""


SpecificationT = TypeVar("SpecificationT", bound=Named)


def matching(family: str, listed: Iterable[SpecificationT], only: str | None) -> list[SpecificationT]:
    """Those of a family's tasks whose name or id a glob fits; None is all.

    Raises:
        PeabenchError: no task matches.
    """
    known = list(listed)
    wanted = [one for one in known if only is None or fnmatchcase(one.name, only.removeprefix(f"{family}/"))]
    if not wanted:
        raise PeabenchError(f"No task of the {family} family matches {only!r}; try '{known[0].name}'.")
    return wanted


def to_make(
    family: str,
    listed: Iterable[SpecificationT],
    only: str | None,
    out: Path,
    resume: bool,
    record: Callable[[SpecificationT], TaskRecord],
) -> list[SpecificationT]:
    """Those of a family's tasks that match, but where `resume` says so those whose folder in `out` is certified.

    Raises:
        PeabenchError: no task matches.
    """
    wanted = matching(family, listed, only)
    return [one for one in wanted if not (resume and certified_already(record(one), out / one.name))]


def certified_already(record: TaskRecord, folder: Path) -> bool:
    """Whether the folder holds this very task, with a certificate that passed (it is written last)."""
    return certified_folder(folder) and load_task(folder).record == record


def certified_folder(folder: Path) -> bool:
    """Whether the folder holds a task with a certificate that passed (it is written last)."""
    return (folder / CERTIFICATE_FILE).exists() and all(check.passed for check in load_task(folder).certificate)


def write_if_certified(out: Path, record: TaskRecord, network: Network, mechanism: Mechanism) -> str | None:
    """Certify a task and write its folder into `out`; where a check fails nothing is written, and it is named."""
    name = record.id.partition("/")[2]
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=f".{name}.") as folder:
        path = Path(folder) / name
        failed = certify_in(path, record, network, mechanism)
        if failed is None:
            shutil.rmtree(out / name, ignore_errors=True)
            path.rename(out / name)
    return failed


def certify_in(folder: Path, record: TaskRecord, network: Network, mechanism: Mechanism) -> str | None:
    """Write a task's folder and certify it there; None, or what fails, and then there is no certificate."""
    save_task(folder, record, network, mechanism, {})
    checks = certify(load_task(folder))
    failed = failures(checks)
    if failed is None:
        write_certificate(folder, checks)
    return failed


def failures(checks: Sequence[Check]) -> str | None:
    """The checks that did not pass, in words; None if all did."""
    return "; ".join(f"{c.name}: {c.errors} of {c.cases}" for c in checks if not c.passed) or None


def from_several_starts(
    specification: SpecificationT,
    starts: int,
    trained: Callable[[SpecificationT, int], NetworkT],
    finish: Callable[[SpecificationT, NetworkT], str | None],
) -> tuple[int, list[str]]:
    """Train a network and finish its task; where that fails, begin anew.

    Args:
        specification: the task.
        starts: how often a network begins before the task is given up.
        trained: the network of a start.
        finish: writes the task's folder, or says what is wrong with it.

    Returns:
        That it was one task, and what is wrong with it if all starts fail.
    """
    problem: str | None = None
    for start in range(starts):
        problem = finish(specification, trained(specification, start))
        if problem is None:
            return 1, []
        log.warning("%s, start %d: %s", specification.name, start + 1, problem)
    return 1, [f"{specification.name}: {problem}"]


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
