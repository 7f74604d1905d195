"""`peabench run`: run scorers on a suite and print the standings."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peabench.cli.output import JsonOption, note
from peabench.cli.progress import RunBar, Times
from peabench.pools import Backend

if TYPE_CHECKING:
    from peabench.results import CellResult

FAILURES_SHOWN = 10


class Device(StrEnum):
    """Where networks run."""

    cpu = "cpu"
    cuda = "cuda"


def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCORER]...", help="Names or globs, package.module:Class, or .py files; all if none."),
    ] = None,
    track: Annotated[str | None, typer.Option(help="Only scorers of one track.")] = None,
    suite: Annotated[str, typer.Option(help="The suite, or `all` for every installed task.")] = "core",
    task: Annotated[str, typer.Option(metavar="GLOB", help="Only tasks of the suite that match.")] = "*",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of results; finished ones in it are kept.")] = Path(
        "peabench-results"
    ),
    seed: Annotated[int, typer.Option(help="Of the questions and the scorers.")] = 0,
    device: Annotated[Device, typer.Option(help="Where networks run.")] = Device.cpu,
    jobs: Annotated[
        int | None, typer.Option(min=0, help="Workers; as many as cores if not given; 0 for this very process.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="S", help="Seconds that a cell may take.")] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that a cell's process may hold, such as 2GiB.")
    ] = None,
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
    from peabench.cli.standings import print_standings
    from peabench.discovery import find_scorers, with_references
    from peabench.runner import done_already, plan
    from peabench.runner import run as run_cells
    from peabench.stability import stability
    from peabench.standings import standings
    from peabench.suites import get_suite

    _refuse_missing_device(device)
    memory_bytes = _bytes(memory)
    entries, problems = find_scorers(names or [], track)
    for problem in problems:
        note(f"Warning: {problem}")
    cells = plan(with_references(entries), get_suite(suite), tasks=task, seed=seed, device=device.value)
    _refuse_unwritable(out)
    done = done_already(cells, out)
    if done:
        note(f"{done} of {len(cells)} cells are finished in {out} already.")
    times = Times()
    try:
        with RunBar(len(cells), done) as bar:

            def on_ran(result: "CellResult", wall_seconds: float) -> None:
                bar.add(result)
                times.add(result.key.track, wall_seconds)

            found = run_cells(cells, out, jobs, timeout, memory_bytes, backend, cluster, on_ran)
            results = sorted(found, key=lambda result: result.key.file)  # means depend on the order in the last digit
    except KeyboardInterrupt:
        note(f"Stopped. What is finished stands in {out}; the same command continues from there.")
        raise typer.Exit(130) from None
    if times.tracks:
        note(times.line())
    print_standings(standings(results), json, () if json else stability(results))
    _report_unanswered(results, out)
    methods = [result for result in results if result.role == "method"]
    if methods and all(result.status == "failed" for result in methods):
        raise typer.Exit(1)


def _refuse_unwritable(out: Path) -> None:
    from tempfile import TemporaryFile

    from peabench.errors import PeabenchError

    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise PeabenchError(
            f"{out} cannot hold results ({error.strerror}); name a folder that can be written with --out."
        ) from error


def _bytes(memory: str | None) -> int | None:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from peabench.errors import PeabenchError

    if memory is None:
        return None
    try:
        size = TypeAdapter(ByteSize).validate_python(memory)
    except ValidationError as error:
        raise PeabenchError(f"--memory takes a size such as 2GiB or 500MB, not {memory!r}.") from error
    if size <= 0:
        raise PeabenchError(f"--memory takes a size above 0, not {memory!r}; leave it out for no limit.")
    return size


def _report_unanswered(results: "list[CellResult]", out: Path) -> None:
    waiting = [result for result in results if result.status == "answered"]
    if waiting:
        note(f"{len(waiting)} cells are answered and not graded: the truth of their tasks is withheld.")
    unanswered = [result for result in results if not result.answered]
    for result in unanswered[:FAILURES_SHOWN]:
        note(f"{result.status}: {result.key.track} {result.key.scorer} {result.key.task}: {result.reason}")
    if len(unanswered) > FAILURES_SHOWN:
        note(f"... and {len(unanswered) - FAILURES_SHOWN} more unanswered cells; their files in {out} say why.")


def _refuse_missing_device(device: Device) -> None:
    from peabench.errors import PeabenchError

    if device is Device.cuda:
        import torch

        if not torch.cuda.is_available():
            raise PeabenchError("torch sees no CUDA device here; use --device cpu.")
