"""`peabench leaderboard`: standings from stored results, without running anything, and the site made from them."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import JsonOption, note
from peabench.errors import PeabenchError
from peabench_leaderboard.site_commands import build, open_site

PACKAGED = Path(__file__).parent / "results"

leaderboard = typer.Typer(invoke_without_command=True)
leaderboard.command("build")(build)
leaderboard.command("open")(open_site)


@leaderboard.callback()
def print_stored(
    context: typer.Context,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder that `peabench run --out` made; else the stored ones.")
    ] = None,
    variants: Annotated[bool, typer.Option("--variants", help="Scores variant by variant.")] = False,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="Another of the metrics that results hold, in place of the score.")
    ] = "score",
    json: JsonOption = False,
) -> None:
    """Print the standings of stored results, or do what a sub-command says."""
    if context.invoked_subcommand is not None:
        return
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
