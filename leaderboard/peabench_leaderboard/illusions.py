"""What `peabench leaderboard illusions` prints."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from peabench.cli.output import display, note, print_json, table
from peabench.illusions import Illusion, IllusionRow, IllusionScore
from peabench.standings import Standing, labels

if TYPE_CHECKING:
    from rich.table import Table

ROWS = [
    ("Illusion", "fold"),
    ("Method", "fold"),
    ("Score", "right"),
    ("95% interval", "right"),
    ("Plain", "right"),
    ("Truth", "right"),
]
SCORES = [("Scorer", "fold"), ("Score", "right"), ("Illusions", "right"), ("95% interval", "right")]
MEASURED = [
    ("Illusion", "fold"),
    ("Method", "fold"),
    ("Says", "right"),
    ("True", "right"),
    ("Plain: says", "right"),
    ("true", "right"),
]


def listing(rows: Sequence[IllusionRow], beside: Sequence[Standing]) -> dict[str, Any]:
    """What `--json` prints: the table, and every scorer's illusion score."""
    scores = [
        {"track": row.track, "scorer": label, "score": row.score, "illusions": row.listing()["illusions"]}
        for label, row in zip(labels(beside), beside, strict=True)
        if _told(row)
    ]
    return {"illusions": [row.listing() for row in rows], "scores": scores}


def print_rows(rows: Sequence[IllusionRow]) -> None:
    """Print what the method that falls for each illusion earns, there and on plain tasks, and what the truth earns."""
    display(table("What deceives, and the method that falls for it", ROWS, [_cells(row) for row in rows]))
    for row in rows:
        if row.shown.score is None:
            note(
                f"{row.illusion.name}: {row.illusion.method} has results on {row.shown.answered} of {row.shown.asked} "
                f"tasks; `peabench run --suite illusions` makes the others."
            )


def print_scores(rows: Sequence[Standing]) -> None:
    """Print every scorer's illusion score beside its score, a table per track."""
    boards: list[Table | str] = []
    for track, group in groupby(rows, key=lambda row: row.track):
        found = [(label, row) for label, row in _labelled(list(group)) if _told(row)]
        if found:
            boards += ["", table(f"{track}: illusion scores", SCORES, [_score_cells(*one) for one in found])]
    display(*boards)


def print_measured(illusions: Sequence[Illusion], as_json: bool) -> None:
    """Run the methods, and print what each says and what is true, where it is deceived and where nothing deceives."""
    from peabench.illusions.measures import WORDS, measured, measured_on_null

    found = [(illusion, measured(illusion), measured_on_null(illusion)) for illusion in illusions]
    if as_json:
        print_json(
            [
                {
                    "illusion": illusion.name,
                    "method": illusion.method,
                    "measure": WORDS[illusion.measure],
                    "says": there.says,
                    "true": there.true,
                    "plain": {"says": plain.says, "true": plain.true},
                }
                for illusion, there, plain in found
            ]
        )
        return
    rows = [
        (i.name, i.method, *(f"{value:.2f}" for value in (there.says, there.true, plain.says, plain.true)))
        for i, there, plain in found
    ]
    words = [f"{measure}: {says}; {true}." for measure, (says, true) in WORDS.items()]
    used = {illusion.measure for illusion in illusions}
    lines = [line for measure, line in zip(WORDS, words, strict=True) if measure in used]
    display(table("What the method says, and what is true", MEASURED, rows), *lines)


def _labelled(rows: Sequence[Standing]) -> list[tuple[str, Standing]]:
    return list(zip(labels(rows), rows, strict=True))


def _told(row: Standing) -> bool:
    return row.illusions is not None and row.illusions.score is not None


def _cells(row: IllusionRow) -> tuple[str, ...]:
    return (
        row.illusion.name,
        row.illusion.method,
        _score(row.shown),
        _interval(row.shown),
        _score(row.plain),
        _score(row.oracle),
    )


def _score_cells(label: str, row: Standing) -> tuple[str, ...]:
    score = "-" if row.score is None else f"{row.score:.3f}"
    return label, score, _score(row.illusions), _interval(row.illusions)


def _score(found: IllusionScore | None) -> str:
    return "-" if found is None or found.score is None else f"{found.score:.2f}"


def _interval(found: IllusionScore | None) -> str:
    bounds = None if found is None else found.interval
    return "-" if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}"
