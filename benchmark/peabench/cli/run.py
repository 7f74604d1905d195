"""`peabench run`: run scorers on a suite and print the standings."""

from typing import Annotated

import typer

from peabench.cli.output import JsonOption, note
from peabench.cli.running import (
    DEFAULT_OUT,
    Device,
    DeviceOption,
    JobsOption,
    MemoryOption,
    OutOption,
    TimeoutOption,
    refuse_missing_device,
    report_unanswered,
    run_with_bar,
)
from peabench.pools import Backend


def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCORER]...", help="Names or globs, package.module:Class, or .py files; all if none."),
    ] = None,
    track: Annotated[str | None, typer.Option(help="Only scorers of one track.")] = None,
    suite: Annotated[
        str, typer.Option(help="The suite by its name or folder, or `all` for every installed task.")
    ] = "core",
    task: Annotated[str, typer.Option(metavar="GLOB", help="Only tasks of the suite that match.")] = "*",
    out: OutOption = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(help="Of the questions and the scorers.")] = 0,
    device: DeviceOption = Device.cpu,
    jobs: JobsOption = None,
    timeout: TimeoutOption = None,
    memory: MemoryOption = None,
    backend: Annotated[
        Backend, typer.Option(help="What runs the cells: processes of this machine, Ray or Dask.")
    ] = Backend.processes,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An existing Ray or Dask cluster; else one is started here.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run scorers on the tasks of a suite and print the standings of each track, its oracle and nulls among them.

    A run that is stopped continues where it was when the same command is given again. Results of another seed or device
    stand beside them. Exit code 1 if no method answered anything because all of them failed.
    """
    from peabench.suites import get_suite

    asked = get_suite(suite)  # before anything that takes seconds to import
    from peabench.cli.standings import print_standings
    from peabench.discovery import find_scorers, with_references
    from peabench.illusions import installed_illusions
    from peabench.runner import plan
    from peabench.stability import stability
    from peabench.standings import standings

    refuse_missing_device(device)
    entries, problems = find_scorers(names or [], track)
    for problem in problems:
        note(f"Warning: {problem}")
    cells = plan(with_references(entries), asked, tasks=task, seed=seed, device=device.value)
    results = run_with_bar(cells, out, jobs, timeout, memory, backend=backend, cluster=cluster)
    rows = standings(results, illusions=installed_illusions())
    print_standings(rows, json, () if json else stability(results))
    report_unanswered(results, out)
    methods = [result for result in results if result.role == "method"]
    if methods and all(result.status == "failed" for result in methods):
        raise typer.Exit(1)
