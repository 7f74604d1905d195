"""A scorer's profile: mean scores over the groups of its tasks, and the scale curve."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peabench_leaderboard.site.contents import Board, Row, TaskPlace, mean_by, size_order


@dataclass(frozen=True)
class Profile:
    """Mean scores over the values of one attribute of tasks."""

    name: str
    means: tuple[tuple[str, float], ...]


def profiles(board: Board, row: Row) -> list[Profile]:
    """Means over families, variants, sizes and provenances."""
    found = []
    for name in ("family", "variant", "size", "provenance"):
        means = mean_by(row, board.tasks, name)
        order = sorted(means, key=size_order if name == "size" else None)
        found.append(Profile(name, tuple((value, means[value]) for value in order)))
    return found


def scale_tasks(places: Sequence[TaskPlace]) -> list[TaskPlace]:
    """The tasks that a curve over sizes compares: the variants that come in the most sizes of all on the board.

    Sizes of which only some variants come would otherwise be compared with sizes of which all do.
    """
    sizes: dict[tuple[str, str], set[str]] = {}
    for place in places:
        sizes.setdefault((place.family, place.variant), set()).add(place.size)
    most = max(map(len, sizes.values()), default=0)
    return [place for place in places if len(sizes[place.family, place.variant]) == most]


def scale_variants(places: Iterable[TaskPlace]) -> list[str]:
    """The variants of some tasks, `family/variant`."""
    return sorted({f"{place.family}/{place.variant}" for place in places})


def extremes(row: Row, count: int) -> tuple[list[tuple[str, str, float]], list[tuple[str, str, float]]]:
    """The tasks (id, content hash, score) that a scorer does best and worst on; none stands in both lists."""
    ordered = sorted(
        ((id, digest, score) for (id, digest), score in row.scores.items()), key=lambda item: (-item[2], item)
    )
    half = min(count, len(ordered) // 2)
    return ordered[:half], ordered[len(ordered) - half :][::-1]


def failures(row: Row) -> list[tuple[str, str, str]]:
    """Cells without an answer: task, `declined` or `failed`, and why."""
    return [(id, cell.status, cell.reason) for (id, _), cell in sorted(row.cells.items()) if cell.status != "ok"]
