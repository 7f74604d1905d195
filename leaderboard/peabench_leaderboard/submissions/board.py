"""A local leaderboard: a folder of collected results that graded submissions are put into."""

from pathlib import Path
from typing import Literal

from peabench.collected import Collected, read_collected
from peabench.collecting import put, refuse_run
from peabench.errors import PeabenchError
from peabench_leaderboard.submissions.judging import Judged

Change = Literal["added", "replaced", "unchanged", "verified"]


def put_on_board(judged: Judged, board: Path) -> Change:
    """Put a graded submission into a folder of collected results.

    One method stands there once: the same submission changes nothing, except that a self-reported result becomes a
    verified one; another submission by the same name and authors replaces the one before.

    Args:
        judged: the submission.
        board: folder of collected results; made if it is not there.

    Raises:
        PeabenchError: the name belongs to others, a verified result would be replaced by a self-reported one, or the
            folder cannot be written.
    """
    document = judged.document
    refuse_no_board(board)
    refuse_names_of_references(document)
    before = standing_before(document, board)
    change: Change = "added"
    if before is not None:
        change = _change(document, before)
    if change != "unchanged":
        put(board, [(document, judged.answers)])
    return change


def refuse_no_board(board: Path) -> None:
    """Refuse a place that cannot be a folder of collected results.

    Raises:
        PeabenchError: it is a file, or holds the results of a run.
    """
    if board.exists() and not board.is_dir():
        raise PeabenchError(f"A board is a folder, and {board} is a file; name a folder with --to.")
    refuse_run(board)


def refuse_names_of_references(document: Collected) -> None:
    """Refuse a method that calls itself as an oracle or null of its track does.

    Raises:
        PeabenchError: it does.
    """
    from peabench import tracks

    track = tracks.get(document.track)
    taken = {*(reference.name for reference in track.references), *track.nulls}
    if document.scorer in taken:
        raise PeabenchError(
            f"The name {document.scorer!r} belongs to a reference of the track {document.track}; submit the method "
            "under another --name."
        )


def standing_before(document: Collected, board: Path) -> Collected | None:
    """What stands in a folder in a document's place, or there would be on another version of its suite."""
    pattern = f"{document.track}/{document.scorer}.{document.suite_name}-*.json"
    found = [read_collected(file) for file in sorted(board.glob(pattern))]
    same = [other for other in found if (other.scorer, other.suite_name) == (document.scorer, document.suite_name)]
    return max(same, key=lambda other: other.suite_version, default=None)


def _change(document: Collected, before: Collected) -> Change:
    new, old = document.submitter, before.submitter
    if old is None or new is None or old.authors != new.authors:
        whose = "code that was run there" if old is None else f"{', '.join(old.authors)}"
        raise PeabenchError(
            f"The name {document.scorer!r} stands on the board already, for {whose}; submit the method under another "
            "--name."
        )
    if before.suite_version > document.suite_version:
        raise PeabenchError(
            f"{document.scorer} stands on the board with answers to {before.suite}; run it on that and submit it again."
        )
    same = old.submission == new.submission
    if same and (before.verification == "verified" or document.verification == "self-reported"):
        return "unchanged"
    if before.verification == "verified" and document.verification == "self-reported":
        raise PeabenchError(
            f"A verified result of {document.scorer} stands on the board, and this one would be self-reported; have "
            "its maintainer grade it."
        )
    return "verified" if same else "replaced"
