"""The page of a task with rival hypotheses and companions."""

from pathlib import Path

import pytest
from rival_networks import save_rivals

from peabench.catalogue import content_hash, summarise
from peabench.certification.checks import NullCheck, judged
from peabench.results import CellResult
from peabench.tasks import save_certificate
from peabench_leaderboard.site.build import site_files, write_site
from peabench_leaderboard.site.contents import gather
from peabench_leaderboard.site.slugs import slug
from peabench_leaderboard.site.stored_answers import no_answers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = save_rivals(tmp_path / "rivals-xs-0")
    null = NullCheck(description="a test", cases=1, errors=1)
    figures = {"factored wrong": 0.0, "expanded wrong": 0.25}
    save_certificate(task.folder, [judged("rivals", "", 0, 9, exhaustive=True, null=null, recorded=figures)])
    return task.folder


def test_the_page_lists_hypotheses_networks_and_the_files_of_companions(
    chosen: list[CellResult], folder: Path, tmp_path: Path
) -> None:
    summary = summarise(folder)
    update = {"track": "algorithms", "track_version": 1, "task": summary.id, "content_hash": content_hash(folder)}
    cell = chosen[0].model_copy(update={"key": chosen[0].key.model_copy(update=update)})
    contents = gather([cell], [summary], [], {"algorithms": "precision"}, "0123456789ab")
    files = dict(site_files(contents, no_answers))
    page = str(files[f"task/{slug(summary.id)}.html"])
    assert '<code>v = A ∧ B; w = B ∧ C</code></td><td>no</td><td class="number">25.0%' in page
    assert '<th scope="row">own</th><td>constructed</td><td>factored</td>' in page
    assert '<th scope="row">c</th><td>constructed</td><td>expanded, half, other-half</td>' in page
    copied = f"files/{slug(summary.id)}/companions/c/model.safetensors"
    assert files[copied] == (folder / "companions/c/model.safetensors").read_bytes()
    for _ in range(2):  # the second time over the first
        write_site(site_files(contents, no_answers), tmp_path / "site")
    assert (tmp_path / "site" / copied).is_file()
