"""Standings as a table per track or as JSON, for every command that prints them."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from peabench.boards import in_order
from peabench.cli.output import display, print_json, table
from peabench.stability import Stability, in_words
from peabench.standings import Standing, labels
from peabench.weights import PLANTED_SHARE

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = [
    ("Rank", "left"),
    ("Scorer", "fold"),
    ("Score", "right"),
    ("95% interval", "right"),
    ("Cells", "right"),
    ("Passes", "right"),
    ("Time", "right"),
]
BESIDE, WIDE = 4, 96
"""Where the illusion score stands, and the columns of a terminal with room for it: a narrower one would cut names."""
NARROWEST, ROOM = 5, 56
"""Characters of the narrowest column of scores, and of all that stand beside the scorers' names."""


def print_standings(
    rows: Sequence[Standing], as_json: bool, firmness: Sequence[Stability] = (), missing: bool = False
) -> None:
    """Print standings on standard output.

    Passes are example-passes forward + backward; they and the time are medians over the answered cells. A declined cell
    counts as chance in the score; what a scorer earns where it answered is told below, with the reasons. Illusion
    scores stand beside the scores where the terminal is wide enough.

    Args:
        rows: of one or more tracks.
        as_json: print nothing but the rows, as JSON.
        firmness: the stability of the tracks' boards, told below each.
        missing: name every cell that was not answered, where otherwise they are counted by scorer and reason.
    """
    if as_json:
        print_json([row.listing() for row in rows])
        return
    firm = {(found.track, found.track_version): found for found in firmness}
    boards: list[Table | str] = []
    wide = get_terminal_size().columns >= WIDE
    for (track, version), group in groupby(rows, key=lambda row: (row.track, row.track_version)):
        found = list(group)
        title = f"{track} (version {version}), {found[0].asked} tasks"
        named = list(zip(labels(found), found, strict=True))
        beside = wide and any(row.illusions is not None and row.illusions.score is not None for row in found)
        columns = [*COLUMNS[:BESIDE], *[("Illusions", "right")] * beside, *COLUMNS[BESIDE:]]
        boards += ["", table(title, columns, [_cells(label, row, beside) for label, row in named])]
        boards += _remarks(found, firm.get((track, version)))
        boards += [line for label, row in named for line in (_each_missing if missing else _missing)(label, row)]
    display(*boards[1:])


def print_groups(rows: Sequence[Standing], kind: str) -> None:
    """Print the score of every scorer on every family, variant, size or provenance of tasks, a table per track.

    Of kind `scale` it is the score by size of each variant that has several. What does not fit beside one another in a
    terminal of 80 columns stands in further tables.
    """
    boards: list[Table | str] = []
    for track, group in groupby(rows, key=lambda row: row.track):
        found = list(group)
        lines = [line for label, row in zip(labels(found), found, strict=True) for line in _groups(label, row, kind)]
        names = dict(sorted({name: None for _, scores in lines for name in scores}.items(), key=in_order))
        for some in _side_by_side(list(names)):
            columns = [("Scorer", "fold"), *((name or "unknown", "right") for name in some)]
            cells = [(label, *(_score(scores.get(name)) for name in some)) for label, scores in lines]
            boards += ["", table(f"{track}: score by {kind}", columns, cells)]
    display(*boards[1:])


def _side_by_side(names: Sequence[str]) -> list[list[str]]:
    """Columns of successive tables, each as many as fit."""
    tables: list[list[str]] = []
    left = 0
    for name in names:
        width = max(len(name), NARROWEST) + 2
        if width > left:
            tables.append([])
            left = ROOM
        tables[-1].append(name)
        left -= width
    return tables


def _groups(label: str, row: Standing, kind: str) -> list[tuple[str, dict[str, float]]]:
    if kind == "scale":
        return [(f"{label} on {name}", curve) for name, curve in row.scale.items()]
    plurals = {"family": row.families, "variant": row.variants, "size": row.sizes, "provenance": row.provenances}
    return [(label, plurals[kind])]


def _remarks(rows: Sequence[Standing], firm: Stability | None) -> list[str]:
    """What is to be said of a board as a whole."""
    words = in_words(firm) if firm is not None else ""
    lines = [words] if words else []
    if any(row.planted_share > PLANTED_SHARE + 1e-9 for row in rows if row.coverage == 1):
        lines.append("All tasks are planted: that they weigh at most one half cannot hold here.")
    return lines


def _missing(label: str, row: Standing) -> list[str]:
    """How many cells of a scorer were not answered, for each reason, and what it earns where it answered."""
    counts = Counter(f"{cell.status}: {cell.reason}" for cell in row.missing)
    earned = f" ({row.answered_score:.3f} where it answered)" if row.answered_score != row.score else ""
    return [f"{label}{earned}, {count} of {row.asked} tasks {reason}" for reason, count in counts.most_common()]


def _each_missing(label: str, row: Standing) -> list[str]:
    return [f"{label}, {cell.task} {cell.status}: {cell.reason}" for cell in row.missing]


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


def _cells(label: str, row: Standing, beside: bool) -> tuple[str, ...]:
    return (
        _rank(row),
        label,
        "-" if row.score is None else f"{row.score:.3f}",
        "-" if row.interval is None else f"{row.interval[0]:.2f} to {row.interval[1]:.2f}",
        *[_score(row.illusions.score if row.illusions else None)] * beside,
        f"{row.answered}/{row.asked}",
        _passes(row),
        "-" if row.wall_seconds is None else f"{row.wall_seconds:.1f}s",
    )


def _rank(row: Standing) -> str:
    if row.role != "method":
        return row.role
    if row.rank is None:
        return "none"
    if row.rank_interval is None or row.rank_interval[0] == row.rank_interval[1]:
        return str(row.rank)
    return f"{row.rank} ({row.rank_interval[0]}-{row.rank_interval[1]})"


def _passes(row: Standing) -> str:
    if row.forward_passes is None or row.backward_passes is None:
        return "-"
    return f"{_count(row.forward_passes)}+{_count(row.backward_passes)}"


def _count(passes: float) -> str:
    """A number of passes to two digits.

    >>> _count(153_600.0), _count(12.5), _count(0.0)
    ('150k', '12', '0')
    """
    rounded = float(f"{passes:.2g}")
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= unit:
            return f"{rounded / unit:g}{letter}"
    return f"{rounded:g}"
