"""Where the answers behind results are read from."""

from pathlib import Path
from typing import Any

from peabench.answers import read_answers
from peabench.errors import PeabenchError
from peabench.results import CellKey
from peabench_leaderboard.site.contents import AnswersReader


def answers_in(folder: Path, problems: list[str]) -> AnswersReader:
    """A reader of the answers that a folder of results holds; it finds none where they are damaged.

    Args:
        folder: of results.
        problems: takes up one sentence for each cell whose answers are damaged.
    """

    def read(key: CellKey) -> list[dict[str, Any]] | None:
        try:
            return read_answers(folder, key)
        except PeabenchError as error:
            problems.append(str(error))
            return None

    return read


def no_answers(key: CellKey) -> list[dict[str, Any]] | None:
    """Nothing is stored."""
    return None
