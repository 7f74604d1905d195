"""`peabench scorers`: the scorers that can be run by name."""

from dataclasses import asdict
from typing import Annotated

import typer

from peabench.cli.output import JsonOption, display, note, print_json, table


def scorers(
    track: Annotated[str | None, typer.Option(help="Only those of one track.")] = None, json: JsonOption = False
) -> None:
    """List the scorers: each track's oracle and nulls, and the installed methods."""
    from peabench.discovery import find_scorers

    found, problems = find_scorers([], track)
    for problem in problems:
        note(f"Warning: {problem}")
    if json:
        print_json([asdict(entry) for entry in found])
        return
    columns = [("Track", "left"), ("Scorer", "fold"), ("Role", "left"), ("Reference", "fold")]
    rows = [(entry.track, entry.name, entry.role, entry.reference.removeprefix("https://")) for entry in found]
    display(table(f"{len(found)} scorers", columns, rows))
