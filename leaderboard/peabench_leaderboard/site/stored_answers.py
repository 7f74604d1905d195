"""Where the answers behind results are read from. The one place that knows of `peabench.answers`."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from peabench.errors import PeabenchError
from peabench.results import CellKey
from peabench_leaderboard.site.contents import AnswersReader


def answers_in(folder: Path, problems: list[str]) -> AnswersReader:
    """A reader of the answers that a folder of results holds; one that finds none where they are not stored.

    Args:
        folder: of results.
        problems: takes up one sentence for each cell whose answers are damaged.
    """
    if find_spec("peabench.answers") is None:
        return no_answers
    read_answers = import_module("peabench.answers").read_answers

    def read(key: CellKey) -> list[dict[str, Any]] | None:
        try:
            found: list[dict[str, Any]] | None = read_answers(folder, key)
        except PeabenchError as error:
            problems.append(str(error))
            return None
        return found

    return read


def no_answers(key: CellKey) -> list[dict[str, Any]] | None:
    """Nothing is stored."""
    return None
