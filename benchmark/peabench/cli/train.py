"""`peabench train`: make a family's tasks again."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from peabench.errors import PeabenchError
from peabench.registry import families, suggestion


def train(
    family: Annotated[str, typer.Argument(help="Name of an installed family.")],
    only: Annotated[str | None, typer.Option(metavar="GLOB", help="Only the tasks that match.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where task folders go; by default where the family keeps them.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the tasks that are certified already.")] = False,
) -> None:
    """Train and certify the tasks of a family and write their folders."""
    known = families()
    if family not in known:
        raise PeabenchError(f"There is no family {family!r}; {suggestion(family, known)}")
    found = known[family]
    module, _, function = found.train.partition(":")
    recipe = getattr(importlib.import_module(module), function)

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {}

        def report(name: str, fraction: float) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=1.0)
            progress.update(bars[name], completed=fraction)

        recipe(out or found.checkpoints, only, seed, report, resume)
