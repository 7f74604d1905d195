"""The table of what certificates say of circuits."""

import sys

import pytest

from peabench.catalogue import bundled_tasks, select
from peabench.tasks import load_task
from peabench_tasks.evidence import figures, main


def test_a_row_for_each_variant_and_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["evidence", "boolean/tree-xs-*", "boolean/redundant-s-*"])
    main()
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[2:]] == ["`boolean/redundant-s`", "`boolean/tree-xs`"]
    assert len({len(row) for row in rows}) == 1
    assert rows[3][2] == "0" != rows[2][2]  # optional edges
    assert all(row[4].startswith("0 of ") for row in rows[2:])


def test_an_edge_that_is_listed_and_in_no_sufficient_circuit_was_thrown_out() -> None:
    (summary,) = select(bundled_tasks(), ["boolean/redundant-s-0"])
    task = load_task(summary.folder)
    circuit = task.mechanism.circuit
    assert circuit is not None
    assert figures([task])[2] == "0"
    fewer = circuit.model_copy(update={"minimal_circuits": circuit.minimal_circuits[:1]})
    task.__dict__["mechanism"] = task.mechanism.model_copy(update={"circuit": fewer})
    listed = {edge.edge for edge in circuit.edges}
    assert figures([task])[2] == str(len(listed - set(circuit.minimal_circuits[0]))) != "0"
