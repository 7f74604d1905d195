"""Where the answers behind results are read from. The one place that knows of `peabench.answers`."""

from pathlib import Path
from typing import Any

from peabench.answers import read_answers
from peabench.errors import PeabenchError
from peabench.questions import is_twin
from peabench.results import CellKey
from peabench_leaderboard.site.contents import AnswersReader


def answers_in(folder: Path, problems: list[str]) -> AnswersReader:
    """A reader of the answers that a folder of results holds, those about twins left out.

    Args:
        folder: of results.
        problems: takes up one sentence for each cell whose answers are damaged.
    """

    def read(key: CellKey) -> list[dict[str, Any]] | None:
        try:
            found = read_answers(folder, key)
        except PeabenchError as error:
            problems.append(str(error))
            return None
        return None if found is None else [answer for name, answer in found.items() if not is_twin(name)]

    return read


def no_answers(key: CellKey) -> list[dict[str, Any]] | None:
    """Nothing is stored."""
    return None
