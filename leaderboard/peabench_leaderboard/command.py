"""`peabench leaderboard`: standings from stored results, without running anything."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import JsonOption, note
from peabench.errors import PeabenchError

PACKAGED = Path(__file__).parent / "results"


def leaderboard(
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder that `peabench run --out` made; else the stored ones.")
    ] = None,
    variants: Annotated[bool, typer.Option("--variants", help="Scores variant by variant.")] = False,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="Another of the metrics that results hold, in place of the score.")
    ] = "score",
    json: JsonOption = False,
) -> None:
    """Print the standings of stored results."""
    from peabench.cli.standings import print_standings, print_variants
    from peabench.results import SCORE, read_all
    from peabench.standings import by_metric, standings

    folder = results or PACKAGED
    found, problems = read_all(folder)
    for problem in problems:
        note(f"Left out: {problem}")
    if not found:
        raise PeabenchError(f"{folder} holds no results; make some with `peabench run --out DIR` and name DIR here.")
    rows = standings(by_metric(found, metric))
    if metric != SCORE:
        note(f"In place of the score: {metric}.")
    if variants and not json:
        print_variants(rows)
    else:
        print_standings(rows, json)
