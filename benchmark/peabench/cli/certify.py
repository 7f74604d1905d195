"""`peabench certify`: measure again, from a task's files alone, that its mechanism is true of its weights."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peabench.catalogue import TaskSummary, installed_tasks, is_sealed, select
from peabench.cli.output import JsonOption, display, note, print_json, table
from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from peabench.suites import Suite


def certify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Ids or globs.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every task whose truth is here.")] = False,
    suite: Annotated[str | None, typer.Option(help="The tasks of a suite, which must be as it froze them.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Run the checks of tasks' certificates again; exit 1 if one fails."""
    tasks, frozen_by = _chosen(names or [], every, suite)
    passed = True
    listing = []
    for result in measured_again(tasks, frozen_by, jobs):
        passed &= result["passed"]
        listing.append(result)
    listing.sort(key=lambda result: str(result["task"]))
    if json:
        print_json(listing)
    else:
        _print(listing)
    if not passed:
        raise typer.Exit(1)


def certified(task: TaskSummary, frozen_by: "Suite | None") -> dict[str, Any]:
    """What `certify --json` prints of one task. A task that cannot be read or is not its suite's has not passed."""
    import torch

    from peabench.certification import certify as run_checks
    from peabench.certification import contradiction
    from peabench.suites import difference
    from peabench.tasks import load_task

    torch.set_num_threads(1)
    problem = difference(frozen_by, task) if frozen_by else None
    if problem is not None:
        return {"task": task.id, "passed": False, "problem": problem, "checks": []}
    try:
        loaded = load_task(task.folder)
        checks = run_checks(loaded)
        problem = contradiction(loaded, checks)
        for name, companion in zip(loaded.record.companions, loaded.companions, strict=True):
            theirs = run_checks(companion)
            problem = problem or contradiction(companion, theirs)
            checks += [check.model_copy(update={"name": f"{name}: {check.name}"}) for check in theirs]
    except PeabenchError as error:
        return {"task": task.id, "passed": False, "problem": str(error), "checks": []}
    except Exception as error:  # whatever its files hold, the other tasks are still to be measured
        problem = f"{type(error).__name__}: {error}; the task cannot be measured, restore its files"
        return {"task": task.id, "passed": False, "problem": problem, "checks": []}
    return {
        "task": task.id,
        "passed": problem is None and all(check.passed for check in checks),
        "problem": problem or "",
        "checks": [check.model_dump(mode="json") for check in checks],
    }


def _chosen(names: list[str], every: bool, suite: str | None) -> "tuple[list[TaskSummary], Suite | None]":
    if suite is not None:
        from peabench.suites import get_suite, tasks_of

        frozen_by = get_suite(suite)
        return tasks_of(frozen_by, names or ["*"]), frozen_by
    if not names and not every:
        raise PeabenchError("Name the tasks to certify, or give --all or --suite.")
    tasks = installed_tasks()
    if names:
        return select(tasks, names), None
    return [task for task in tasks if not is_sealed(task.folder)], None  # those have no truth here to be measured


def measured_again(
    tasks: Sequence[TaskSummary], frozen_by: "Suite | None", jobs: int | None
) -> Iterator[dict[str, Any]]:
    """What `certified` says of each task, in the order in which they are done, with a bar on standard error."""
    from joblib import Parallel, cpu_count, delayed
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    pool = Parallel(n_jobs=min(jobs or cpu_count(), max(len(tasks), 1)), return_as="generator_unordered", batch_size=1)
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(tasks))
        for result in pool(delayed(certified)(task, frozen_by) for task in tasks):
            progress.update(bar, advance=1, description=result["task"])
            yield result


def _print(listing: list[dict[str, Any]]) -> None:
    columns = [("Task", "fold"), ("Passed", "left"), ("Checks", "right"), ("Cases", "right"), ("Failed checks", "fold")]
    rows = [
        (
            result["task"],
            "yes" if result["passed"] else "NO",
            str(len(result["checks"])),
            f"{sum(check['cases'] for check in result['checks']):,}",
            "; ".join(filter(None, [*(c["name"] for c in result["checks"] if not c["passed"]), result["problem"]])),
        )
        for result in listing
    ]
    passed = sum(result["passed"] for result in listing)
    display(table(f"{passed} of {len(listing)} tasks passed", columns, rows))
    if passed < len(listing):
        note("Run with --json to see the cases and errors of every check.")
