"""A scorer's page: what it is, what it earns and where, how it scales, where it fails and why."""

import inspect
from collections.abc import Mapping
from typing import Any

from peabench.discovery import ScorerEntry
from peabench.errors import PeabenchError
from peabench_leaderboard.site.charts import Series, size_plot
from peabench_leaderboard.site.contents import Board, Contents, Row, mean_by, size_order
from peabench_leaderboard.site.home_page import badges, board_bar
from peabench_leaderboard.site.profiles import extremes, failures, profiles, scale_tasks, scale_variants

EXTREMES = 5


def scorer_context(contents: Contents, scorer: str) -> dict[str, Any]:
    """What the template of a scorer's page names."""
    rows = contents.rows_of(scorer)
    return {
        "scorer": scorer,
        "sections": [_section(contents, board, row, i) for i, (board, row) in enumerate(rows)],
        "tracks": sorted({board.track for board, _ in rows}),
    }


def description(entry: ScorerEntry) -> str:
    """The first paragraphs of what the scorer's class says of itself; empty where it cannot be loaded."""
    try:
        documented = type(entry.create()).__dict__.get("__doc__")
    except PeabenchError:
        return ""
    return inspect.cleandoc(documented) if documented else ""


def _section(contents: Contents, board: Board, row: Row, number: int) -> dict[str, Any]:
    best, worst = extremes(row, EXTREMES)
    pages = {place.key: place.page for place in board.tasks}
    return {
        "board": board,
        "row": row,
        "entry": row.entry,
        "description": description(row.entry) if row.entry else "",
        "badges": badges(row),
        "bar": board_bar(board, row),
        "profiles": [profile for profile in profiles(board, row) if profile.means],
        "scale": _scale_curve(board, row, number),
        "scale_variants": scale_variants(scale_tasks(board.tasks)),
        "best": [(id, score, pages[id, digest]) for id, digest, score in best],
        "worst": [(id, score, pages[id, digest]) for id, digest, score in worst],
        "failures": [(id, status, reason, _page(contents, id)) for id, status, reason in failures(row)],
        "environment": _environment(row),
    }


def _scale_curve(board: Board, row: Row, number: int) -> str:
    """This scorer over the sizes, its track's oracle and nulls beside it; nothing where all tasks are of one size."""
    places = scale_tasks(board.tasks)
    sizes = sorted({place.size for place in places}, key=size_order)
    if len(sizes) < 2 or not row.scores:
        return ""
    beside = [other for other in board.rows if other.standing.role != "method" and other.name != row.name]
    series = [
        Series(other.label, other.page, _ordered(mean_by(other, places, "size")), other.standing.role)
        for other in (row, *beside)
    ]
    return size_plot(f"scale-{number}", series, sizes, "../")


def _ordered(means: Mapping[str, float]) -> dict[str, float]:
    return {size: means[size] for size in sorted(means, key=size_order)}


def _environment(row: Row) -> list[tuple[str, str]]:
    """What the results were made with: each name with all values that occur."""
    found: dict[str, set[str]] = {}
    for cell in row.cells.values():
        for name, value in cell.environment.items():
            found.setdefault(name, set()).add(value)
    return [(name, ", ".join(sorted(values))) for name, values in sorted(found.items())]


def _page(contents: Contents, id: str) -> str | None:
    return next((place.page for place in contents.tasks if place.id == id), None)
