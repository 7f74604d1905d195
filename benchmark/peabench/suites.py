"""Suites: frozen, versioned lists of tasks, each task pinned to the hash of its content."""

import importlib.util
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, model_validator

from peabench.catalogue import (
    TASK_ID,
    TaskSummary,
    content_hash,
    copies,
    installed_tasks,
    is_sealed,
    matching,
    summarise,
)
from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.registry import SUITES, registered, suggestion
from peabench.snapshots import current_snapshots

EVERYTHING = "all"
ON_THE_HUB = "full"
"""The suite that is downloaded."""
SUITE_FILE = "suite.json"
"""Of a suite that lies in a folder of its own, such as the published half of a sealed one."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

SuiteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
TaskId = Annotated[str, StringConstraints(pattern=f"^{TASK_ID.pattern}$")]
"""Its second part names the task's folder, and leads nowhere else."""


class Suite(BaseModel):
    """A frozen list of tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: SuiteName
    version: Annotated[int, Field(ge=0, lt=10**9)]
    description: str
    tasks: dict[TaskId, Sha256]
    """Content hash of every task by id."""
    commitments: dict[TaskId, Sha256] = {}
    """Of a sealed suite: for every task by id what its truth, once revealed, must hash to (`peabench.sealing`)."""

    _folder: Path | None = PrivateAttr(default=None)
    """Where its tasks lie, each in a folder of its name; None where installed packages have them."""

    @model_validator(mode="after")
    def _all_or_none_sealed(self) -> Self:
        if self.commitments and set(self.commitments) != set(self.tasks):
            raise ValueError("commitments: expected one for each task, or none at all")
        return self

    @property
    def sealed(self) -> bool:
        """Whether the truth of its tasks is withheld."""
        return bool(self.commitments)


def frozen(name: str, version: int, description: str, tasks: Iterable[TaskSummary]) -> Suite:
    """A suite of these tasks as they are now."""
    hashes = {task.id: content_hash(task.folder) for task in sorted(tasks, key=lambda task: task.id)}
    return Suite(name=name, version=version, description=description, tasks=hashes)


def bundled_suites() -> dict[str, Suite]:
    """The suites of all installed packages by name.

    Raises:
        PeabenchError: one is malformed, or two share a name.
    """
    suites: dict[str, Suite] = {}
    for point in registered(SUITES):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise PeabenchError(f"The entry point {point.name!r} of {SUITES} must name a package, not {point.value!r}.")
        for folder in spec.submodule_search_locations:
            for file in sorted(Path(folder).glob("*.json")):
                suite = read_document(file, Suite, "suite")
                if suite.name in suites or suite.name == EVERYTHING:
                    raise PeabenchError(f"{file}: the suite name {suite.name!r} is taken; rename it.")
                suites[suite.name] = suite
    return suites


def suite_in(folder: Path) -> Suite:
    """The suite that lies in a folder, with its tasks.

    Raises:
        PeabenchError: there is none, or it is malformed.
    """
    suite = read_document(folder / SUITE_FILE, Suite, "suite")
    suite._folder = folder
    return suite


def installed_suites() -> dict[str, Suite]:
    """The suites of all installed packages and of what was downloaded, by name; of one name, the package's.

    Raises:
        PeabenchError: one is malformed, or two packages share a name.
    """
    downloaded = [read_document(snapshot.suite, Suite, "suite") for snapshot in current_snapshots()]
    return {suite.name: suite for suite in downloaded} | bundled_suites()


def get_suite(name: str) -> Suite:
    """A suite by name, or by the folder that holds it; `all` is every task that is here, as it is now.

    Raises:
        PeabenchError: there is no such suite.
    """
    if name == EVERYTHING:
        return frozen(EVERYTHING, 0, "Every installed task, as it is now.", installed_tasks())
    suites = installed_suites()
    if name not in suites and (Path(name) / SUITE_FILE).is_file():
        return suite_in(Path(name))
    if name == ON_THE_HUB and name not in suites:
        raise PeabenchError(f"The suite {name!r} has not been downloaded; `peabench download --suite {name}` does it.")
    if name not in suites:
        raise PeabenchError(f"There is no suite {name!r}; {suggestion(name, [*suites, EVERYTHING])}")
    return suites[name]


def tasks_of(suite: Suite, patterns: Iterable[str] = ("*",)) -> list[TaskSummary]:
    """The tasks of a suite whose ids match any of the patterns. Where there are several copies of one, it is the copy
    that the suite froze.

    Raises:
        PeabenchError: one of them is not here, or not in the suite's folder, or a pattern matches none.
    """
    wanted = matching(sorted(suite.tasks), patterns)
    if suite._folder is not None:
        return [_task_in(suite._folder, task) for task in wanted]
    here = defaultdict(list)
    for copy in copies():
        here[copy.id].append(copy)
    missing = [task for task in wanted if task not in here]
    if missing:
        raise PeabenchError(
            f"The suite {suite.name} asks for {missing[0]!r}"
            + (f" and {len(missing) - 1} more tasks" if len(missing) > 1 else "")
            + f", which no installed package has; {_how_to_get(missing[0], suite)}."
        )
    return [_frozen_copy(suite, here[task]) for task in wanted]


def _how_to_get(task: str, suite: Suite) -> str:
    for snapshot in current_snapshots():
        if read_document(snapshot.suite, Suite, "suite") == suite:
            return f"`peabench download {task} --repo {snapshot.repo} --revision {snapshot.revision}` fetches it"
    return "install the family that brings it"


def _frozen_copy(suite: Suite, some: list[TaskSummary]) -> TaskSummary:
    first, *others = some
    if not others or difference(suite, first) is None:
        return first
    return next((task for task in others if difference(suite, task) is None), first)


def _task_in(folder: Path, task_id: str) -> TaskSummary:
    task = summarise(folder / task_id.partition("/")[2])
    if task.id != task_id:
        raise PeabenchError(f"{task.folder} holds {task.id} where its suite has {task_id}; fetch the suite again.")
    return task


def difference(suite: Suite, task: TaskSummary) -> str | None:
    """Why a task is not the one that its suite froze, or None if it is.

    A revealed task of a sealed suite, whose folder differs from the published one, is held against its commitment.
    """
    if suite.sealed and not is_sealed(task.folder):
        from peabench.sealing import broken_commitment

        return broken_commitment(suite, task.id, task.folder)
    found, pinned = content_hash(task.folder), suite.tasks[task.id]
    if found == pinned:
        return None
    return (
        f"{task.id} is not the task that suite {suite.name} version {suite.version} froze "
        f"(content {found[:12]}, frozen {pinned[:12]}); restore its folder or install the matching release."
    )
