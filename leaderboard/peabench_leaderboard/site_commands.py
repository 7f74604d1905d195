"""`peabench leaderboard build` and `peabench leaderboard open`: the static site."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import note

DEFAULT_OUT = Path("peabench-site")

ResultsOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A folder that `peabench run --out` made; else the stored ones.")
]


def build(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to; written over if it is an older site.")
    ] = DEFAULT_OUT,
    results: ResultsOption = None,
) -> None:
    """Build the leaderboard's static site, which opens from a file and asks no server for anything."""
    _build(out, results)


def open_site(
    out: Annotated[Path, typer.Option(metavar="DIR", help="A site; built first if there is none.")] = DEFAULT_OUT,
    results: ResultsOption = None,
) -> None:
    """Open the site in a browser; with --results, or where there is none yet, build it first."""
    page = out / "index.html"
    if results is not None or not page.is_file():
        _build(out, results)
    address = page.resolve().as_uri()
    if typer.launch(address) != 0:
        note("No browser could be started.")
    typer.echo(address)


def _build(out: Path, results: Path | None) -> None:
    from peabench_leaderboard.command import PACKAGED
    from peabench_leaderboard.site import build_site

    count, problems = build_site(results or PACKAGED, out)
    for problem in problems:
        note(f"Left out: {problem}")
    note(f"{count} files written; open {out / 'index.html'}.")
