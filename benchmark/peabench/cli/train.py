"""`peabench train`: make a family's tasks again."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.progress import named_bars
from peabench.errors import PeabenchError
from peabench.registry import families, function_at, suggestion


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
    recipe = function_at(found.train)

    with named_bars() as report:
        recipe(out or found.checkpoints, only, seed, report, resume)
