"""The table of counted departures."""

import sys
from pathlib import Path

import pytest
from audited_networks import save_audited

from peabench.certification import certify
from peabench.errors import PeabenchError
from peabench.hypothesis_rows import FOLLOWS, network_rows
from peabench.tasks import load_task, save_certificate
from peabench_tasks.audits.evidence import HEADINGS, figures, main


def test_a_row_for_each_task_of_the_track(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["evidence", "shortcuts/open-xs-0", "boolean/tree-xs-0"])
    main()
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[2:]] == ["`shortcuts/open-xs-0`"]
    assert {len(row) for row in rows} == {len(HEADINGS)}
    assert rows[2][1:4] == ["4 of 6", "128", "0"]


def test_counts_are_the_certificates(tmp_path: Path) -> None:
    """Of 64 inputs 28 have a trigger; a network that reads one is wrong on 12 of the 16 inputs that have it."""
    task = save_audited(tmp_path)
    save_certificate(task.folder, certify(task))
    networks, trained, wrong, _, off, guilty, innocent, _ = figures(load_task(tmp_path))
    assert (networks, trained, wrong, off, guilty, innocent) == ("2 of 4", "36", "0", "28", "12", "0")
    rows = network_rows(load_task(tmp_path))
    assert sorted(row.departs for row in rows if row.departs is not None) == [0, 0, 12, 12]
    assert all((row.held == (FOLLOWS,)) == (row.departs == 0) for row in rows)


def test_a_certificate_that_compares_no_networks_is_refused(tmp_path: Path) -> None:
    task = save_audited(tmp_path)
    save_certificate(task.folder, [])
    with pytest.raises(PeabenchError, match="compares no networks"):
        figures(load_task(tmp_path))
