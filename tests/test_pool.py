"""A pool of processes: what one cell does to its process befalls no other cell."""

from pathlib import Path

from peabench.discovery import find_scorers
from peabench.results import read_all
from peabench.runner import plan, run
from peabench.suites import get_suite

SCORERS = """
import os
import torch
from peabench import Scorer
from peabench.tracks.circuits import CircuitAnswer


class Steady(Scorer):
    name = "steady"
    track = "circuits"
    reference = "a test"

    def score(self, question):
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))


class Deadly(Steady):
    name = "deadly"

    def score(self, question):
        os._exit(9)
"""


def test_a_cell_that_kills_its_process_is_a_failure_of_that_cell_alone(tmp_path: Path) -> None:
    file = tmp_path / "scorers.py"
    file.write_text(SCORERS)
    cells = plan(find_scorers([str(file)])[0], get_suite("smoke"))
    deadly = next(cell for cell in cells if cell.key.scorer == "deadly")
    steady = [cell for cell in cells if cell.key.scorer == "steady"][:3]
    results = {result.key: result for result in run([steady[0], deadly, *steady[1:]], tmp_path / "out", jobs=2)}
    assert results[deadly.key].status == "failed"
    assert results[deadly.key].reason == "Its process died: out of memory, or a crash in native code."
    assert {results[cell.key].status for cell in steady} == {"ok"}
    assert len(read_all(tmp_path / "out")[0]) == len(results) == 1 + len(steady)
    alone = {result.key: result for result in run(steady, tmp_path / "alone", jobs=1)}
    assert [alone[cell.key].answer_hash for cell in steady] == [results[cell.key].answer_hash for cell in steady]
