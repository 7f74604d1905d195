"""The site as files: links, sources, escaping, size, and equal bytes for equal contents."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from small_site import FAILURE, HOSTILE, Site, circuit_size

from peabench.catalogue import content_hash, installed_tasks, select
from peabench.errors import PeabenchError
from peabench.results import CellResult
from peabench.suites import get_suite
from peabench.tasks import load_task
from peabench_leaderboard.site import home_page
from peabench_leaderboard.site.build import ASSETS, DATA_NAME, MARKER, contents_of, site_files, write_site
from peabench_leaderboard.site.contents import Contents
from peabench_leaderboard.site.home_page import board_data, home_context
from peabench_leaderboard.site.origin import commit_of
from peabench_leaderboard.site.pages import Pages
from peabench_leaderboard.site.script_data import script
from peabench_leaderboard.site.stored_answers import no_answers
from peabench_leaderboard.site.task_files import copies, task_files

VOID = {"meta", "link", "input", "br", "img", "hr"}
BYTES_PER_BOARD = 60_000
"""Of the first page with its data, scripts and styles."""


class Page(HTMLParser):
    """The elements of a page, and whether every one that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, *tags: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag in tags)


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[Path, Page]:
    return {file: Page(file.read_text()) for file in sorted(site.folder.rglob("*.html"))}


def test_there_is_a_page_for_each_scorer_and_task(site: Site, pages: dict[Path, Page]) -> None:
    names = [file.relative_to(site.folder).as_posix() for file in pages]
    assert len([name for name in names if name.startswith("scorer/")]) == len(site.contents.scorers)
    assert "task/boolean--tree-s-0.html" in names
    assert {"index.html", "plots.html", "method.html", "scorer/eap.html"} <= set(names)


def test_elements_are_closed_and_ids_are_used_once(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert not page.unbalanced, file
        assert not page.open, file
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), file


def test_links_lead_to_files_and_places_that_exist(site: Site, pages: dict[Path, Page]) -> None:
    ids = {file: {attributes.get("id") for _, attributes in page.elements} for file, page in pages.items()}
    followed = 0
    for file, page in pages.items():
        for attributes in page.of("a", "link", "script"):
            address = attributes.get("href") or attributes.get("src") or ""
            if address.startswith("https://"):
                continue
            path, _, place = address.partition("#")
            target = (file.parent / unquote(path)).resolve() if path else file
            assert target.is_file(), (file, address)
            assert site.folder.resolve() in target.resolve().parents, (file, address)
            assert not place or place in ids[target], (file, address)
            followed += 1
    assert followed > 100


def test_nothing_is_fetched_from_anywhere(site: Site, pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        for tag, attributes in page.elements:
            for name, value in attributes.items():
                if value and re.match(r"\s*([a-z]+:)?//", value, re.IGNORECASE):
                    assert (tag, name) == ("a", "href"), (file, tag, name, value)
                assert not name.startswith("on"), (file, tag, name)
                assert name != "style", (file, tag)
            if tag == "a" and str(attributes.get("href")).startswith("http"):
                assert "noreferrer" in str(attributes.get("rel"))
        assert not any(attributes.get("src") is None for attributes in page.of("script")), file
    for asset in (site.folder / "assets").iterdir():
        text = asset.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text), asset


def test_names_from_outside_are_text(pages: dict[Path, Page], site: Site) -> None:
    everywhere = {tag for page in pages.values() for tag, _ in page.elements}
    assert not everywhere & {"img", "iframe", "object", "embed", "base"}
    assert "b" not in everywhere  # the failure's reason
    home = "".join(pages[site.folder / "index.html"].text)
    for name in HOSTILE:
        assert name in home
    addresses = {str(a.get("href")) for page in pages.values() for a in page.of("a")}
    assert not any(re.match(r"\s*(javascript|data|vbscript):", address, re.IGNORECASE) for address in addresses)
    failed = next(page for file, page in pages.items() if file.name.startswith("img-src"))
    assert FAILURE in "".join(failed.text)


def test_every_file_stays_in_the_folder(site: Site) -> None:
    folders = {file.parent.relative_to(site.folder).as_posix() for file in site.folder.rglob("*") if file.is_file()}
    assert {name for name in folders if not name.startswith("files/")} == {".", "assets", "scorer", "task"}
    assert not list(site.folder.parent.glob("x*"))


def test_drawings_have_names_and_descriptions(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        ids = {attributes.get("id") for _, attributes in page.elements}
        for attributes in page.of("svg"):
            if attributes.get("aria-hidden") == "true":
                continue
            assert attributes.get("role") == "img", file
            named = str(attributes.get("aria-labelledby")).split()
            assert len(named) == 2, file
            assert set(named) <= ids, file


def test_tables_have_headers_with_a_scope(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert all(attributes.get("scope") for attributes in page.of("th")), file


def test_a_task_page_has_its_certificate_with_nulls_and_how_to_load_it(pages: dict[Path, Page], site: Site) -> None:
    text = "".join(pages[site.folder / "task/boolean--tree-s-0.html"].text)
    folder = select(installed_tasks(), ["boolean/tree-s-0"])[0].folder
    certificate = json.loads((folder / "certificate.json").read_text())
    for check in certificate:
        assert check["claim"] in text
        assert check["null"]["description"] in text
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes())
    assert digest.hexdigest()[:16] in text
    assert "peabench_tasks/boolean/checkpoints/tree-s-0" in text


def test_a_task_s_files_stand_beside_its_page(site: Site, pages: dict[Path, Page], tmp_path: Path) -> None:
    page = site.folder / "task/boolean--tree-s-0.html"
    links = [a for a in pages[page].of("a") if "download" in a]
    folder = select(installed_tasks(), ["boolean/tree-s-0"])[0].folder
    for link in links:
        copy = (page.parent / unquote(str(link["href"]))).resolve()
        assert copy.read_bytes() == (folder / copy.name).read_bytes()
        shutil.copy(copy, tmp_path)
    assert content_hash(tmp_path) == content_hash(folder)
    assert load_task(tmp_path).certificate


def test_a_large_task_is_listed_without_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = select(installed_tasks(), ["boolean/tree-s-0"])[0]
    monkeypatch.setattr("peabench_leaderboard.site.task_files.LARGEST_COPIED", 1000)
    assert list(copies(task)) == []
    assert [file.address for file in task_files(task)] == [None] * 7


def test_below_a_board_stands_how_firm_it_is(pages: dict[Path, Page], site: Site) -> None:
    text = " ".join("".join(pages[site.folder / "index.html"].text).split())
    for board in site.contents.boards:
        assert board.stability.resolvable is not None
        assert f"a difference above {board.stability.resolvable:.3f} can be told from chance" in text
    assert {"stability"} <= {attributes.get("id") for _, attributes in pages[site.folder / "method.html"].elements}


def test_the_three_lines_load_the_task(site: Site) -> None:
    page = (site.folder / "task/boolean--tree-s-0.html").read_text()
    code = re.search(r'<pre class="code"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert code is not None
    lines = code[1].replace("&#34;", '"')
    assert len(lines.splitlines()) == 3
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - it is what the page tells people to run
    assert names["task"].record.id == "boolean/tree-s-0"


def test_answers_are_drawn_where_they_are_stored(site: Site) -> None:
    page = (site.folder / "task/boolean--tree-s-0.html").read_text()
    told = re.findall(r"<strong>(\w+)</strong> found (\d+) of (\d+) edges and named (\d+) in error", page)
    size = circuit_size("boolean/tree-s-0")
    assert told == [("oracle", f"{size}", f"{size}", "0"), ("eap", f"{size - 1}", f"{size}", "1")]


def test_without_answers_a_task_page_says_so(contents: Contents) -> None:
    files = dict(site_files(Contents(contents.boards[:1], "0"), no_answers))
    assert "No scorer's answers to this question are stored" in str(files["task/boolean--tree-s-0.html"])


def test_equal_contents_give_equal_bytes(results: list[CellResult], answers: Any, site: Site) -> None:
    again = contents_of(list(reversed(results)), "0123456789ab")
    for name, text in site_files(again, answers):
        assert (site.folder / name).read_bytes() == (text.encode() if isinstance(text, str) else text), name


def test_the_first_page_with_its_data_is_small_for_the_committed_results(committed: list[CellResult]) -> None:
    contents = contents_of(committed, "0123456789ab")
    suites = ("core", "features", "rivals", "audits", "beliefs")
    assert len(contents.tasks) == len({task for name in suites for task in get_suite(name).tasks})
    assert len(contents.scorers) >= 17
    texts = [
        Pages("0123456789ab", "0").render("home", "index.html", **home_context(contents)),
        script(DATA_NAME, board_data(contents)),
        *(asset.read_text() for asset in ASSETS.iterdir()),
    ]
    assert sum(len(text.encode()) for text in texts) < BYTES_PER_BOARD * len(contents.boards)


def test_a_filter_of_many_values_is_folded_up(contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    def rendered() -> str:
        return Pages("0123456789ab", "0").render("home", "index.html", **home_context(contents))

    assert "<summary>one or more of" not in rendered()
    monkeypatch.setattr(home_page, "MANY_VALUES", 1)
    assert "<summary>one or more of" in rendered()


def test_questions_without_a_network_are_told_in_seconds(committed: list[CellResult]) -> None:
    task = "superposition/dense-xs-0"
    found = [one for one in committed if (one.key.track, one.key.task) == ("features", task)]
    files = dict(site_files(contents_of(found, "0"), no_answers))
    assert 'data-cell="seconds"' in str(files["index.html"])
    assert 'data-cell="passes"' not in str(files["index.html"])
    page = str(files["task/superposition--dense-xs-0.html"])
    assert ">Time</th>" in page
    assert ">Passes</th>" not in page
    assert ">10%</td>" in page  # of what a check may find wrong
    assert "1 block," in page


def test_pages_of_an_older_site_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    first: list[tuple[str, str | bytes]] = [
        (MARKER, "x"),
        ("index.html", "old"),
        ("files/a/m.safetensors", b"\0"),
        ("files/a/companions/b/m.safetensors", b"\0"),
        ("scorer/a.html", "a"),
        ("scorer/b.html", "b"),
    ]
    write_site(iter(first), tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    write_site(iter([(MARKER, "x"), ("index.html", "new"), ("scorer/a.html", "a")]), tmp_path / "out")
    found = {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert found == {MARKER, "index.html", "scorer/a.html", "notes.txt"}
    assert not (tmp_path / "out" / "files" / "a").exists()
    assert (tmp_path / "out" / "index.html").read_text() == "new"


def test_nothing_is_written_where_a_page_cannot_be_made(tmp_path: Path) -> None:
    def files() -> Iterator[tuple[str, str]]:
        yield MARKER, "x"
        raise PeabenchError("a task is damaged")

    with pytest.raises(PeabenchError, match="is damaged"):
        write_site(files(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_site_is_not_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(PeabenchError, match="Expected a folder"):
        write_site(iter([(MARKER, "x")]), tmp_path / "out")


def test_a_site_names_the_commit_of_its_results(chosen: list[CellResult], tmp_path: Path) -> None:
    made = [one.model_copy(update={"environment": {"commit": "a" * 40 + "+changes"}}) for one in chosen]
    assert commit_of(made, tmp_path) == "aaaaaaaaaaaa+changes"
    assert commit_of([], tmp_path) == "unknown"
