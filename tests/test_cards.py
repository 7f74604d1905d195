"""The cards of shipped tasks say what is stored now."""

from itertools import groupby
from pathlib import Path

import pytest
from audited_networks import save_audited

from peabench.catalogue import COMPANIONS, TaskSummary, bundled_tasks
from peabench.certification import certify
from peabench.certification.checks import Check
from peabench.tasks import companion_folder, load_task
from peabench_tasks.card import card, certified_with, write_certificate

CHECKED = [
    summary
    for _, tasks in groupby(bundled_tasks(), key=lambda task: task.family)
    for place, summary in enumerate(tasks)
    if place == 0 or (summary.folder / COMPANIONS).is_dir()
]
"""The first of each family, and every task that has companions."""


@pytest.mark.parametrize("summary", CHECKED, ids=[summary.id for summary in CHECKED])
def test_cards_are_what_a_task_and_its_companions_say(summary: TaskSummary) -> None:
    for file in summary.folder.rglob("README.md"):
        task = load_task(file.parent)
        assert certified_with(task) == summary.id
        assert file.read_text() == card(task, task.certificate), (
            f"run `python -m peabench_tasks.card '{summary.family}/*'`"
        )


def test_every_companion_has_a_card() -> None:
    folders = [folder for summary in CHECKED for folder in (summary.folder / COMPANIONS).glob("*")]
    assert folders
    assert all((folder / "README.md").exists() for folder in folders)


def counts(checks: list[Check], without: str) -> list[Check]:
    """A certificate that does not say on how many inputs one of the networks departs."""
    return [
        check.model_copy(update={"recorded": {k: v for k, v in check.recorded.items() if k != f"{without} departs"}})
        for check in checks
    ]


def test_a_network_whose_departures_are_not_counted_has_an_empty_cell(tmp_path: Path) -> None:
    task = save_audited(tmp_path)
    (first, *_), checks = task.record.companions, certify(task)
    write_certificate(tmp_path, counts(checks, first))
    write_certificate(companion_folder(tmp_path, first), [])
    rows = [line for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("| ")]
    assert [row.split("|")[-2].strip() for row in rows if row.startswith(f"| {first} |")] == [""]
    assert f"certify hand/{tmp_path.name}`" in (companion_folder(tmp_path, first) / "README.md").read_text()
