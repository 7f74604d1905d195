"""The plots: score against cost, score against size, and the heat map of scorers by family and variant."""

from typing import Any

from peabench_leaderboard.site.charts import PASSES, SECONDS, Dot, Series, cost_plot, size_plot
from peabench_leaderboard.site.contents import Board, Contents, Row, mean_by, size_order
from peabench_leaderboard.site.profiles import scale_tasks, scale_variants


def plots_context(contents: Contents) -> dict[str, Any]:
    """What the template of the plots names."""
    return {"plots": [_plots(board) for board in contents.boards]}


def _plots(board: Board) -> dict[str, Any]:
    answered = [row for row in board.rows if row.standing.score is not None]
    unit = PASSES if board.in_passes else SECONDS
    dots = [
        Dot(row.label, row.page, cost or 0.0, row.standing.score or 0.0, row.standing.interval, row.standing.role)
        for row in answered
        for cost in [row.passes if unit is PASSES else row.standing.wall_seconds]
    ]
    places = scale_tasks(board.tasks)
    sizes = sorted({place.size for place in places}, key=size_order)
    curves = []
    for row in answered:
        means = mean_by(row, places, "size")
        curves.append(
            Series(row.label, row.page, {size: means[size] for size in sizes if size in means}, row.standing.role)
        )
    groups = sorted({(place.family, place.variant) for place in board.tasks})
    return {
        "board": board,
        "cost": cost_plot(f"cost-{board.key}", dots, "", unit) if dots else "",
        "unit": unit,
        "dots": sorted(dots, key=lambda dot: (dot.cost, -dot.score)),
        "sizes": sizes,
        "curves": curves,
        "size": size_plot(f"size-{board.key}", curves, sizes, "") if len(sizes) > 1 and curves else "",
        "scale_variants": scale_variants(places),
        "groups": groups,
        "families": [
            (family, sum(group[0] == family for group in groups)) for family in sorted({f for f, _ in groups})
        ],
        "heat": [(row, _by_group(row, board, groups)) for row in answered],
    }


def _by_group(row: Row, board: Board, groups: list[tuple[str, str]]) -> list[float | None]:
    found = []
    for family, variant in groups:
        places = [place for place in board.tasks if (place.family, place.variant) == (family, variant)]
        found.append(mean_by(row, places, "variant").get(variant))
    return found
