"""The first page: one board per track, the data that its filters work on, and the way to every task."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from markupsafe import Markup

from peabench.boards import SIZES, TaskKey
from peabench.results import CellResult
from peabench.stability import in_words
from peabench.tasks import load_task
from peabench_leaderboard.site.charts import interval_bar, lowest
from peabench_leaderboard.site.circuit_grid import circuit_picture
from peabench_leaderboard.site.contents import Board, Contents, Row, TaskPlace, size_order, task_order

MANY_VALUES = 30
"""Of a filter: more than these are folded up."""
FILTERS = ("family", "variant", "size", "provenance")
DIGITS = 5
"""Of scores, so that means over filtered tasks agree with the standings in what is shown of them."""
LONGEST_FORMULA = 300
"""Characters of the specimen's formula that are written out; a longer one is in terms of its parents."""
COSTS = {
    "forward_passes": ("forward_passes", 1),
    "backward_passes": ("backward_passes", 1),
    "wall_seconds": ("wall_seconds", 1),
    "peak_memory_kilobytes": ("peak_memory_bytes", 1_000),  # shorter to write for each task
}
"""What is told to the browser, and which cost that is over which unit."""


def home_context(contents: Contents) -> dict[str, Any]:
    """What the template of the first page names."""
    return {
        "boards": contents.boards,
        "illusions": contents.illusions,
        "bar": board_bar,
        "badges": badges,
        "firmness": {board.key: in_words(board.stability) for board in contents.boards},
        "filters": {name: _values(contents.tasks, name) for name in FILTERS},
        "many": MANY_VALUES,
        "task_table": _task_table(contents),
        "count": len(contents.tasks),
        "specimen": _specimen(contents),
    }


def board_data(contents: Contents) -> dict[str, Any]:
    """What the browser computes filtered boards from: tasks once, and per row an array in their order."""
    return {
        "filters": FILTERS,
        "boards": [
            {
                "key": board.key,
                "track": board.track,
                "version": board.version,
                "low": board_low(board),
                "tasks": [[place.id, *(getattr(place, name) for name in FILTERS)] for place in board.tasks],
                "rows": [_row_data(row, board) for row in board.rows],
            }
            for board in contents.boards
        ],
    }


def board_low(board: Board) -> float:
    """Where the scale of a board's bars begins."""
    bounds = [row.standing.interval[0] for row in board.rows if row.standing.interval]
    return lowest([*bounds, *(row.standing.score for row in board.rows if row.standing.score is not None)])


def board_bar(board: Board, row: Row) -> Markup:
    """A row's score and interval as a drawing."""
    return interval_bar(row.standing.score, row.standing.interval, board_low(board), row.standing.role)


def badges(row: Row) -> list[tuple[str, str]]:
    """What a row is, in a word each, and what the word means."""
    found = []
    if row.standing.role == "null":
        found.append(("null", "What is earned without a look inside the network"))
    if row.standing.role == "ceiling":
        found.append(("ceiling", "Is told labels that no method has: about the most that can be read"))
    if row.standing.role == "oracle":
        found.append(("oracle", "Answers with the truth"))
    if row.standing.verification == "verified":
        found.append(("verified", "Computed by the maintainers from the scorer's code, or graded by them"))
    else:
        found.append(("self-reported", "Computed by the author of these results; nobody else has checked them"))
    return found


def _specimen(contents: Contents) -> dict[str, Any] | None:
    """A task to begin with: of the clean ones that have a circuit, the first of the second size, or of any."""
    places = [place for place in contents.tasks if place.summary and not place.summary.difficulty]
    for place in sorted(places, key=lambda place: (place.size != SIZES[1], task_order(place))):
        assert place.summary is not None
        task = load_task(place.summary.folder)
        mechanism = task.mechanism
        if mechanism.circuit is not None:
            return {
                "id": place.id,
                "page": place.page,
                "formula": mechanism.causal_model.formula(LONGEST_FORMULA),
                "picture": circuit_picture(task.network().graph, mechanism, with_absent=False),
            }
    return None


def _row_data(row: Row, board: Board) -> dict[str, Any]:
    keys = [place.key for place in board.tasks]
    standing = row.standing
    return {
        "name": row.name,
        "label": row.label,
        "version": standing.scorer_version,
        "role": standing.role,
        "badges": [word for word, _ in badges(row)],
        "seed": standing.seed,
        "device": standing.device,
        "supervision": row.entry.supervision if row.entry else None,
        "score": _rounded(standing.score),
        "interval": None if standing.interval is None else [_rounded(bound) for bound in standing.interval],
        "rank": standing.rank,
        "rank_interval": standing.rank_interval,
        "illusions": None if standing.illusions is None else _rounded(standing.illusions.score),
        "scores": [_rounded(row.scores.get(key)) for key in keys],
        "declined": [i for i, key in enumerate(keys) if key in row.cells and row.cells[key].status == "declined"],
        **{told: _costs(row.cells, keys, name, unit) for told, (name, unit) in COSTS.items()},
    }


def _costs(cells: Any, keys: Sequence[TaskKey], name: str, unit: int) -> list[float | int | None] | float | int | None:
    """A cost on each task, or once what it is on all tasks that were answered."""

    def cost(cell: CellResult | None) -> float | int | None:
        if cell is None or cell.cost is None or cell.status != "ok":
            return None
        value = float(f"{getattr(cell.cost, name) / unit:.4g}")
        return int(value) if value.is_integer() else value

    costs = [cost(cells.get(key)) for key in keys]
    known = {one for one in costs if one is not None}
    return known.pop() if len(known) == 1 else costs


def _values(places: Sequence[TaskPlace], name: str) -> list[tuple[str, int]]:
    """The values of an attribute and how many tasks have each."""
    counts: dict[str, int] = defaultdict(int)
    for place in places:
        counts[getattr(place, name)] += 1
    order = size_order if name == "size" else None
    return sorted(counts.items(), key=lambda item: order(item[0]) if order else item[0])


def _task_table(contents: Contents) -> list[dict[str, Any]]:
    """Per family a table of variants by sizes; in each cell the tasks, each with the mean score of all methods."""
    families: dict[str, list[TaskPlace]] = defaultdict(list)
    for place in contents.tasks:
        families[place.family].append(place)
    tables = []
    for family, places in families.items():
        sizes = sorted({place.size for place in places}, key=size_order)
        variants: dict[str, dict[str, list[tuple[TaskPlace, float | None]]]] = {}
        for place in places:
            cells = variants.setdefault(place.variant, {size: [] for size in sizes})
            cells[place.size].append((place, _mean_of_methods(contents, place)))
        tables.append({"family": family, "sizes": sizes, "variants": variants})
    return tables


def _mean_of_methods(contents: Contents, place: TaskPlace) -> float | None:
    scores = [
        row.scores[place.key]
        for board in contents.boards
        for row in board.rows
        if row.standing.role == "method" and place.key in row.scores
    ]
    return fmean(scores) if scores else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
