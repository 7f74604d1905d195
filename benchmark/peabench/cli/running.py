"""Running cells from the command line: the options that commands share, the bar, and what is told at the end."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peabench.cli.output import note
from peabench.cli.progress import RunBar, Times

if TYPE_CHECKING:
    from peabench.cells import Cell
    from peabench.results import CellResult

FAILURES_SHOWN = 10
DEFAULT_OUT = Path("peabench-results")


class Device(StrEnum):
    """Where networks run."""

    cpu = "cpu"
    cuda = "cuda"


OutOption = Annotated[Path, typer.Option(metavar="DIR", help="Folder of results; finished ones in it are kept.")]
DeviceOption = Annotated[Device, typer.Option(help="Where networks run.")]
JobsOption = Annotated[
    int | None, typer.Option(min=0, help="Workers; as many as cores if not given; 0 for this very process.")
]
TimeoutOption = Annotated[float | None, typer.Option(min=0, metavar="S", help="Seconds that a cell may take.")]
MemoryOption = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory that a cell's process may hold, such as 2GiB.")
]


def run_with_bar(
    cells: "Sequence[Cell]", out: Path, jobs: int | None, timeout: float | None, memory: str | None, **pool: Any
) -> "list[CellResult]":
    """The results of cells, in the order of their files; those that are finished are read.

    Args:
        cells: from `peabench.runner.plan`.
        out: folder of results.
        jobs: workers.
        timeout: seconds that a cell may take.
        memory: that the process of a cell may hold, such as `2GiB`.
        pool: `backend` and `cluster` of `peabench.runner.run`.
    """
    from peabench.runner import done_already, run

    memory_bytes = _bytes(memory)
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

            found = run(cells, out, jobs, timeout, memory_bytes, on_ran=on_ran, **pool)
            results = sorted(found, key=lambda result: result.key.file)  # means depend on the order in the last digit
    except KeyboardInterrupt:
        note(f"Stopped. What is finished stands in {out}; the same command continues from there.")
        raise typer.Exit(130) from None
    if times.tracks:
        note(times.line())
    return results


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


def report_unanswered(results: "list[CellResult]", out: Path) -> None:
    """Tell which cells were not answered, and why."""
    waiting = [result for result in results if result.status == "answered"]
    if waiting:
        note(f"{len(waiting)} cells are answered and not graded: the truth of their tasks is withheld.")
    unanswered = [result for result in results if not result.answered]
    for result in unanswered[:FAILURES_SHOWN]:
        note(f"{result.status}: {result.key.track} {result.key.scorer} {result.key.task}: {result.reason}")
    if len(unanswered) > FAILURES_SHOWN:
        note(f"... and {len(unanswered) - FAILURES_SHOWN} more unanswered cells; their files in {out} say why.")


def refuse_missing_device(device: Device) -> None:
    """Refuse a device that torch does not see.

    Raises:
        PeabenchError: it does not.
    """
    from peabench.errors import PeabenchError

    if device is Device.cuda:
        import torch

        if not torch.cuda.is_available():
            raise PeabenchError("torch sees no CUDA device here; use --device cpu.")
