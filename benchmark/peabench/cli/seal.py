"""`peabench seal`: a suite of fresh tasks whose truth is withheld."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import note
from peabench.cli.progress import named_bars

KINDS = ("*/*-s", "*/*-m")
LARGEST_EACH = 100


def seal(
    secret: Annotated[Path, typer.Option(metavar="FILE", help="At least 32 random bytes that nobody else has.")],
    suite: Annotated[str, typer.Option(help="The suite's name, such as sealed-2026a.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the half that is published goes.")],
    truth: Annotated[Path, typer.Option(metavar="DIR", help="Where the half that is kept goes.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="What is drawn, `family/variant-size`; all of sizes s and m if not given."),
    ] = None,
    each: Annotated[int, typer.Option(min=1, max=LARGEST_EACH, help="Tasks of each kind.")] = 1,
) -> None:
    """Draw, train and certify fresh tasks from a secret; publish networks, questions and commitments, keep the truth.

    When it is stopped, the same command goes on from there.
    """
    from peabench.sealing import draw_lots
    from peabench.sealing import seal as make_suite
    from peabench.sealing.keys import read_secret

    content = read_secret(secret)
    lots = draw_lots(content, suite, kind or KINDS, each)
    try:
        with named_bars() as report:
            make_suite(content, lots, out, truth, report)
    except KeyboardInterrupt:
        note(f"Stopped. What is finished stands in {truth}; the same command goes on from there.")
        raise typer.Exit(130) from None
    note(
        f"{len(lots)} tasks of {suite}: publish {out}, and keep {truth} and {secret} to yourself until you reveal them."
    )
