"""`peabench leaderboard` and `peabench compare`: what stored results say, without running anything."""

from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peabench.cli.output import JsonOption, display, note, print_json, table
from peabench.errors import PeabenchError
from peabench_leaderboard.site_commands import build, open_site

if TYPE_CHECKING:
    from peabench.results import CellResult

PACKAGED = Path(__file__).parent / "results"
PROBLEMS_SHOWN = 20

ResultsOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="A folder that `peabench run --out` or `collect` made; else the stored results."),
]
MetricOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Another metric in place of the score: above_null, or one that results hold."),
]


class Group(StrEnum):
    """What a board's scores can be split by."""

    family = "family"
    variant = "variant"
    size = "size"
    provenance = "provenance"
    scale = "scale"


leaderboard = typer.Typer(rich_markup_mode=None)
leaderboard.command("build")(build)
leaderboard.command("open")(open_site)


@leaderboard.callback(invoke_without_command=True)
def print_leaderboard(
    context: typer.Context,
    results: ResultsOption = None,
    by: Annotated[Group | None, typer.Option(help="Scores of each of these in place of the standings.")] = None,
    variants: Annotated[bool, typer.Option("--variants", help="The same as --by variant.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Name every cell that was not answered.")] = False,
    metric: MetricOption = "score",
    json: JsonOption = False,
) -> None:
    """Print the standings of stored results; or collect, check or show them."""
    if context.invoked_subcommand is not None:
        for name in context.params:
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise PeabenchError(f"Give --{name} after `{context.invoked_subcommand}`, not before it.")
        return
    from peabench.cli.standings import print_groups, print_standings
    from peabench.illusions import installed_illusions
    from peabench.results import SCORE
    from peabench.stability import stability
    from peabench.standings import ABOVE_NULL, standings

    found = _stored(results, metric)
    rows = standings(found, illusions=installed_illusions() if metric == SCORE else ())
    if metric not in (SCORE, ABOVE_NULL):  # of some metrics less is better, and nulls are measured on the score
        rows = [replace(row, rank=None, rank_interval=None, above_null=None) for row in rows]
    if (variants or by) and not json:
        print_groups(rows, by.value if by else "variant")
    else:
        print_standings(rows, json, () if json else stability(found), missing)


@leaderboard.command("stability")
def print_stability(results: ResultsOption = None, metric: MetricOption = "score", json: JsonOption = False) -> None:
    """Print how firm each track's board is: see docs/standings.md for what is computed."""
    from peabench.stability import stability

    found = stability(_stored(results, metric))
    if json:
        print_json([board.listing() for board in found])
        return
    columns = [("Track", "fold"), ("Methods", "right"), ("Kendall's tau", "right"), ("Resolvable", "right")]
    rows = [
        (
            board.track,
            str(board.methods),
            "-" if board.tau is None else f"{board.tau:.2f}",
            "-" if board.resolvable is None else f"{board.resolvable:.3f}",
            f"{board.resolved}/{board.pairs}",
        )
        for board in found
    ]
    display(table("How firm the boards are", [*columns, ("Pairs resolved", "right")], rows))


@leaderboard.command("illusions")
def print_illusions(
    results: ResultsOption = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run the methods now: what each says, and what is true.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Only illusions whose names match.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print, for each known illusion, what the method that falls for it earns; and every scorer's illusion score."""
    from peabench.illusions import illusion_rows, installed_illusions
    from peabench.standings import standings
    from peabench_leaderboard.illusions import listing, print_measured, print_rows, print_scores

    illusions = [i for i in installed_illusions() if any(fnmatchcase(i.name, glob) for glob in only or ["*"])]
    if not illusions:
        raise PeabenchError(f"No illusion matches {', '.join(only or [])!r}; see docs/illusions.md for their names.")
    if measure:
        print_measured(illusions, json)
        return
    found = _stored(results, "score")
    rows, beside = illusion_rows(found, illusions), standings(found, illusions=illusions)
    if json:
        print_json(listing(rows, beside))
    else:
        print_rows(rows)
        print_scores(beside)


@leaderboard.command("gap")
def print_gap(
    sealed: Annotated[Path, typer.Argument(metavar="SEALED_DIR", help="Results on a sealed suite, graded.")],
    results: ResultsOption = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only public tasks that match, to compare like with like.")
    ] = None,
    metric: MetricOption = "score",
    json: JsonOption = False,
) -> None:
    """Print how far each scorer stands above its score on sealed tasks, with intervals."""
    from peabench.gaps import gaps
    from peabench_leaderboard.gap import print_gaps

    wanted = [r for r in _stored(results, metric) if any(fnmatchcase(r.key.task, pattern) for pattern in task or ["*"])]
    found = gaps(wanted, _stored(sealed, metric))
    if not found:
        raise PeabenchError(
            f"No scorer has answered or declined all tasks both in {sealed} and in {results or PACKAGED}; run it on "
            "both with one version of Peabench."
        )
    if json:
        print_json([gap.listing() for gap in found])
    else:
        print_gaps(found)


@leaderboard.command()
def collect(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that `peabench run --out` made.")],
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; else the results that this checkout commits.")
    ] = None,
    suite: Annotated[str, typer.Option(help="Whose tasks' results are collected.")] = "core",
) -> None:
    """Collect the results of a run in one file per scorer, with its answers and a manifest of SHA-256 sums."""
    from peabench.collecting import collect as collect_results
    from peabench.collecting import gaps
    from peabench.suites import get_suite

    folder = to or _committed()
    chosen = get_suite(suite)
    written = collect_results(
        run, folder, chosen, "verified" if folder.resolve() == PACKAGED.resolve() else "self-reported"
    )
    for gap in gaps(written, chosen):
        note(f"Warning: {gap}")
    note(f"The results of {len(written)} scorers on {suite} stand in {folder}.")


@leaderboard.command()
def verify(
    results: ResultsOption = None,
    recompute: Annotated[
        int, typer.Option(metavar="N", min=0, help="Run N of the cells again and compare; 0 for none.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the choice of cells.")] = 0,
) -> None:
    """Check that collected results are as they were collected and what the installed code gives; exit 1 if not."""
    from peabench_leaderboard.verification import collected_cells, recomputed, sample

    folder = results or PACKAGED
    cells, problems = collected_cells(folder)
    checked = [recomputed(folder, cell) for cell in sample(cells, recompute, seed)]
    problems += [problem for found in checked for problem in found.problems]
    for problem in problems[:PROBLEMS_SHOWN]:
        note(f"Error: {problem}")
    if len(problems) > PROBLEMS_SHOWN:
        note(f"... and {len(problems) - PROBLEMS_SHOWN} more.")
    if problems:
        raise typer.Exit(1)
    bits = sum(found.same_platform for found in checked)
    told = f"; {len(checked)} run again give the same scores, {bits} of them on this platform and bit by bit"
    typer.echo(f"The {len(cells)} results in {folder} are as they were collected{told * bool(checked)}.")


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Name of a scorer.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Name of another of the same track.")],
    track: Annotated[str | None, typer.Option(help="Where both stand on several.")] = None,
    results: ResultsOption = None,
    metric: MetricOption = "score",
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Each seed of the run counts by itself: intervals hold what it changes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare two scorers task by task: the paired difference A - B and its bootstrap 95% interval."""
    from peabench.comparison import compare as compare_scorers
    from peabench_leaderboard.duel import print_comparison

    found = compare_scorers(_stored(results, metric), first, second, track, each_seed=seeds)
    if json:
        print_json(found.listing())
    else:
        print_comparison(found)


def _stored(results: Path | None, metric: str) -> "list[CellResult]":
    from peabench.results import SCORE, read_all
    from peabench.standings import ABOVE_NULL, by_metric, told_by_a_null

    folder = results or PACKAGED
    found, problems = read_all(folder)
    for problem in problems:
        note(f"Left out: {problem}")
    if not found:
        raise PeabenchError(f"{folder} holds no results; make some with `peabench run --out DIR` and name DIR here.")
    if metric != SCORE:
        note(f"In place of the score: {metric}.")
    for track, count in (told_by_a_null(found) if metric == ABOVE_NULL else {}).items():
        note(f"Left out: {count} of the tasks of {track}, on which a null earns 1, so that nothing can be above it.")
    return by_metric(found, metric)


def _committed() -> Path:
    if not (PACKAGED.parents[2] / ".git").exists():
        raise PeabenchError("This is no checkout that commits results; name a folder to collect into with --to.")
    return PACKAGED
