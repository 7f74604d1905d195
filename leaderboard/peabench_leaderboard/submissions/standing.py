"""Where a submission stands among stored results."""

from pathlib import Path

from peabench.cli.output import note
from peabench.cli.standings import print_standings
from peabench.results import CellResult, read_all
from peabench.standings import Standing, standings
from peabench_leaderboard.submissions.judging import Judged


def standing_among(judged: Judged, stored: list[CellResult]) -> tuple[list[Standing], Standing]:
    """The board of a submission's track on its tasks, and its own row there.

    Args:
        judged: the submission.
        stored: other results; those of its own name, and of other tasks, are left out.
    """
    first = judged.results[0].key
    tasks = {(result.key.task, result.key.content_hash) for result in judged.results}
    others = [
        result
        for result in stored
        if (result.key.track, result.key.track_version) == (first.track, first.track_version)
        and (result.key.task, result.key.content_hash) in tasks
        and (result.key.scorer, result.key.seed) != (first.scorer, first.seed)
    ]
    rows = standings([*others, *judged.results])
    (own,) = [row for row in rows if row.scorer == first.scorer and row.seed == first.seed]
    return rows, own


def describe_standing(judged: Judged, board: Path) -> None:
    """Print the board of a submission's track with its row among the others, and one sentence on its place."""
    stored, problems = read_all(board)
    for problem in problems:
        note(f"Left out: {problem}")
    rows, own = standing_among(judged, stored)
    print_standings(rows, as_json=False)
    note(in_one_sentence(rows, own))


def in_one_sentence(rows: list[Standing], own: Standing) -> str:
    """The place of a row on its board."""
    if own.score is None:
        return f"{own.scorer} answered none of {own.asked} tasks, so it has no score."
    if own.rank is None:
        without = own.asked - own.answered - own.declined
        return f"{own.scorer} has no result on {without} of {own.asked} tasks, and is ranked once it has one on each."
    methods = sum(row.rank is not None for row in rows)
    place = f"{own.scorer} would stand at rank {own.rank} of {methods} methods"
    if own.rank_interval is not None and own.rank_interval[0] < own.rank_interval[1]:
        place += f" (95% interval {own.rank_interval[0]} to {own.rank_interval[1]})"
    if own.interval is not None:
        return f"{place}, with a score of {own.score:.3f} ({own.interval[0]:.2f} to {own.interval[1]:.2f})."
    return f"{place}, with a score of {own.score:.3f}."
