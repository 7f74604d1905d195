"""The page of a task with rival hypotheses and companions."""

from pathlib import Path

import pytest
from audited_networks import save_audited
from rival_networks import save_rivals

from peabench.catalogue import content_hash, summarise
from peabench.certification import certify
from peabench.certification.checks import NullCheck, judged
from peabench.results import CellResult
from peabench.tasks import save_certificate
from peabench_leaderboard.site.build import site_files, write_site
from peabench_leaderboard.site.contents import Contents, gather
from peabench_leaderboard.site.slugs import slug
from peabench_leaderboard.site.stored_answers import no_answers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = save_rivals(tmp_path / "rivals-xs-0")
    null = NullCheck(description="a test", cases=1, errors=1)
    figures = {"factored wrong": 0.0, "expanded wrong": 0.25}
    save_certificate(task.folder, [judged("rivals", "", 0, 9, exhaustive=True, null=null, recorded=figures)])
    return task.folder


def page_of(folder: Path, track: str, cells: list[CellResult]) -> tuple[str, dict[str, str | bytes], Contents]:
    """The page of a task in a site of one cell, all files of that site, and what it was made of."""
    summary = summarise(folder)
    update = {"track": track, "track_version": 1, "task": summary.id, "content_hash": content_hash(folder)}
    cell = cells[0].model_copy(update={"key": cells[0].key.model_copy(update=update)})
    contents = gather([cell], [summary], [], {track: "a headline"}, "0123456789ab")
    files = dict(site_files(contents, no_answers))
    return str(files[f"task/{slug(summary.id)}.html"]), files, contents


def test_the_page_lists_hypotheses_networks_and_the_files_of_companions(
    chosen: list[CellResult], folder: Path, tmp_path: Path
) -> None:
    page, files, contents = page_of(folder, "algorithms", chosen)
    assert "They behave alike on every input." in page
    assert '<code>v = A ∧ B; w = B ∧ C</code></td><td>no</td><td class="number">25.0%' in page
    assert '<th scope="row">own</th><td class="made">constructed</td><td class="held">factored</td>' in page
    assert (
        '<th scope="row">c</th><td class="made">constructed</td><td class="held">expanded, half, other-half</td>'
        in page
    )
    copied = f"files/{slug(summarise(folder).id)}/companions/c/model.safetensors"
    assert files[copied] == (folder / "companions/c/model.safetensors").read_bytes()
    for _ in range(2):  # the second time over the first
        write_site(site_files(contents, no_answers), tmp_path / "site")
    assert (tmp_path / "site" / copied).is_file()


def test_the_page_of_an_audit_says_which_network_hides_what_and_where_it_shows(
    chosen: list[CellResult], tmp_path: Path
) -> None:
    task = save_audited(tmp_path / "audited-xs-0")
    save_certificate(task.folder, certify(task))
    page, _, _ = page_of(task.folder, "audits", chosen)
    assert "behave alike on every input" not in page
    assert "Which hides something" in page
    assert "That is 36 inputs; 28 others are not." in page
    assert '<td class="held">backdoor: trigger x2 ∧ x3, response true</td><td class="number">12</td>' in page
    assert '<td class="held">the rule, everywhere</td><td class="number">0</td>' in page
