"""`peabench check`: whether a scorer keeps the contract, in words that help."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import JsonOption, display, note, print_json, table


def check(
    scorer: Annotated[str, typer.Argument(help="A name, package.module:Class, or .py file, as for `run`.")],
    task: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A task's folder; else two small tasks of its track.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check that a scorer keeps the contract: finite data, repeatable, network untouched, and what it declares.

    Exit code 1 if a check fails. `peabench.conformance.assert_conforms` is the same for your own tests.
    """
    from peabench.conformance import CHECKS, findings
    from peabench.discovery import find_scorers
    from peabench.isolation import quiet

    entries = [entry for entry in find_scorers([scorer])[0] if entry.origin != "track"]
    if not entries:
        from peabench.errors import PeabenchError

        raise PeabenchError(f"{scorer} is a reference of its track, which sees the truth; check a scorer.")
    failed = False
    listing = []
    for entry in entries:
        with quiet():
            found = list(findings(entry, task))
        failed |= any(finding.verdict == "failed" for finding in found)
        listing += [{"scorer": entry.name, "track": entry.track} | asdict(finding) for finding in found]
        if json:
            continue
        rows = [(finding.check, finding.verdict, CHECKS[finding.check]) for finding in found]
        columns = [("Check", "left"), ("Verdict", "left"), ("What it asks for", "fold")]
        display(table(f"{entry.name} ({entry.track})", columns, rows))
        for finding in found:
            if finding.problem:
                note(f"{finding.check}, {finding.task}: {finding.problem} {finding.advice}")
    if json:
        print_json(listing)
    if failed:
        raise typer.Exit(1)
