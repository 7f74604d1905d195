"""`peabench tasks`: the installed tasks."""

from typing import Annotated

import typer

from peabench.catalogue import TaskSummary, installed_tasks, is_sealed, select
from peabench.cli.output import JsonOption, display, print_json, table


def tasks(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Ids or globs.")] = None,
    suite: Annotated[str | None, typer.Option(help="Only those of a suite, by its name or folder.")] = None,
    json: JsonOption = False,
) -> None:
    """List the installed tasks, or those of a suite."""
    found = installed_tasks() if suite is None else _tasks_of(suite)
    if patterns:
        found = select(found, patterns)
    if json:
        print_json([task.listing() for task in found])
        return
    columns = [("Task", "fold"), ("Made", "left"), ("Tracks", "fold"), ("Inputs", "right"), ("Hard because", "fold")]
    rows = [
        (task.id, task.provenance, ", ".join(task.tracks), str(task.domain_size), _difficulty(task)) for task in found
    ]
    display(table(f"{len(found)} tasks", columns, rows))


def _difficulty(task: TaskSummary) -> str:
    return "its truth is sealed" if is_sealed(task.folder) else task.difficulty


def _tasks_of(suite: str) -> list[TaskSummary]:
    from peabench.suites import get_suite, tasks_of

    return tasks_of(get_suite(suite))
