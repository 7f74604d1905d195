"""The scorers of docs/scorers.md, copied from the page into a file, run and earn something."""

import re
from pathlib import Path

import pytest
from cells import cell_on
from tests.tracks import gates

from peabench.cells import run_cell
from peabench.discovery import scorers_in_file

PAGE = Path(__file__).parents[1] / "docs" / "scorers.md"
SCORERS = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "(Scorer)" in block]


def test_the_page_has_a_scorer_for_each_track() -> None:
    assert [re.findall(r'track = "(.*)"', block) for block in SCORERS] == [["circuits"], ["variables"]]


@pytest.mark.parametrize("block", SCORERS)
def test_a_scorer_of_the_page_runs(tmp_path: Path, block: str) -> None:
    task = gates.save_gates(tmp_path / "task", gates.network(), gates.mechanism())
    file = tmp_path / "my_scorer.py"
    file.write_text(block)
    (entry,) = scorers_in_file(file)
    result = run_cell(cell_on(task, entry)).result
    assert result.status == "ok", result.traceback
    assert result.metrics.get("on_domain", result.metrics["score"]) > 0.2  # a covariance leans on bystanders
