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
    json: JsonOption = False,
) -> None:
    """Print the standings of stored results."""
    from peabench.cli.standings import print_standings
    from peabench.results import read_all
    from peabench.standings import standings

    folder = results or PACKAGED
    found, problems = read_all(folder)
    for problem in problems:
        note(f"Left out: {problem}")
    if not found:
        raise PeabenchError(f"{folder} holds no results; make some with `peabench run --out DIR` and name DIR here.")
    print_standings(standings(found), json)
