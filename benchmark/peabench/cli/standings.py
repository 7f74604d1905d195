"""Standings as a table per track or as JSON, for every command that prints them."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from peabench.cli.output import display, print_json, table
from peabench.standings import Standing

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


def print_standings(rows: Sequence[Standing], as_json: bool) -> None:
    """Print standings on standard output.

    Passes are example-passes forward + backward; they and the time are medians over the answered cells. A scorer that
    did not answer every cell is not ranked.
    """
    if as_json:
        print_json([row.listing() for row in rows])
        return
    boards: list[Table | str] = []
    for (track, version), group in groupby(rows, key=lambda row: (row.track, row.track_version)):
        found = list(group)
        title = f"{track} (version {version}), {found[0].asked} tasks"
        named = zip(labels(found), found, strict=True)
        boards += ["", table(title, COLUMNS, [_cells(label, row) for label, row in named])]
    display(*boards[1:])


def print_variants(rows: Sequence[Standing]) -> None:
    """Print the mean score of every scorer on every variant, a table per track."""
    boards: list[Table | str] = []
    for track, group in groupby(rows, key=lambda row: row.track):
        found = list(group)
        variants = sorted({variant for row in found for variant in row.variants})
        columns = [("Scorer", "fold"), *((variant, "right") for variant in variants)]
        named = zip(labels(found), found, strict=True)
        cells = [(label, *(_score(row.variants.get(variant)) for variant in variants)) for label, row in named]
        boards += ["", table(f"{track}: score by variant", columns, cells)]
    display(*boards[1:])


def labels(rows: Sequence[Standing]) -> list[str]:
    """Names of a board's rows: the scorer, and its seed and device where the board has several."""
    several_seeds = len({row.seed for row in rows}) > 1
    several_devices = len({row.device for row in rows}) > 1

    def label(row: Standing) -> str:
        told = [f"seed {row.seed}"] * several_seeds + [row.device] * several_devices
        return f"{row.scorer} ({', '.join(told)})" if told else row.scorer

    return [label(row) for row in rows]


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


def _cells(label: str, row: Standing) -> tuple[str, ...]:
    return (
        _rank(row),
        label,
        "-" if row.score is None else f"{row.score:.3f}",
        "-" if row.interval is None else f"{row.interval[0]:.2f} to {row.interval[1]:.2f}",
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
