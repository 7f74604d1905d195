"""`peabench tasks`: the installed tasks."""

from typing import Annotated

import typer

from peabench.catalogue import installed_tasks, select
from peabench.cli.output import JsonOption, display, print_json, table


def tasks(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Ids or globs.")] = None,
    json: JsonOption = False,
) -> None:
    """List the installed tasks."""
    found = installed_tasks()
    if patterns:
        found = select(found, patterns)
    if json:
        print_json([task.listing() for task in found])
        return
    columns = [("Task", "fold"), ("Made", "left"), ("Tracks", "fold"), ("Inputs", "right"), ("Hard because", "fold")]
    rows = [
        (task.id, task.provenance, ", ".join(task.tracks), str(task.domain_size), task.difficulty) for task in found
    ]
    display(table(f"{len(found)} tasks", columns, rows))
