"""The site in a real browser."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_site import HOSTILE, TASKS, Site, circuit_size
from system_browser import CHROMIUM, FLAGS, MISSING

from peabench.results import CellResult
from peabench.standings import standings
from peabench_leaderboard.site import figures
from peabench_leaderboard.site.slugs import slug

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CIRCUITS = '[data-board^="circuits-"]'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end no page must have complained, opened a dialogue or asked any server for anything."""
    complaints: list[str] = []
    contexts = []

    def note_dialogue(dialogue: Any) -> None:
        complaints.append(dialogue.message)
        dialogue.dismiss()

    def note_request(request: Any) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            complaints.append(request.url)

    def opened(page: str, state: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.add_init_script("window.PEABENCH_TEST = {}")
        tab = context.new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", note_dialogue)
        tab.on("request", note_request)
        tab.goto(site.address(page, state))
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def names(tab: Any, board: str = CIRCUITS) -> list[str]:
    found: list[str] = tab.locator(f"{board} tbody th a").all_inner_texts()
    return found


def cells(tab: Any, scorer: str, board: str = CIRCUITS) -> dict[str, str]:
    row = tab.locator(f"{board} tbody tr").filter(has=tab.get_by_role("link", name=scorer, exact=True))
    return {cell.get_attribute("data-cell"): cell.inner_text() for cell in row.locator("[data-cell]").all()}


def test_no_page_complains_in_either_theme(visit: Callable[..., Any], site: Site) -> None:
    pages = [file.relative_to(site.folder).as_posix() for file in site.folder.rglob("*.html")]
    tab = visit("index.html")
    for page in pages:
        tab.goto(site.address(page))
        tab.emulate_media(color_scheme="dark")
        assert tab.locator("h1").is_visible()
        assert tab.locator("html").get_attribute("data-ready") == ""


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ("index.html", ""),
        ("plots.html", ""),
        ("method.html", ""),
        ("scorer/eap.html", ""),
        ("task/boolean--redundant-s-0.html", "#circuit=eap"),
    ],
)
def test_pages_fit_a_narrow_screen_and_scroll_by_keyboard(visit: Callable[..., Any], page: str, state: str) -> None:
    tab = visit(page, state, viewport={"width": 320, "height": 640})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320
    out_of_reach = tab.evaluate(
        """[...document.querySelectorAll("*")].filter(element => element.scrollWidth > element.clientWidth + 1
        && /auto|scroll/.test(getComputedStyle(element).overflowX) && element.tabIndex < 0)
        .map(element => element.outerHTML)"""
    )
    assert out_of_reach == []


def test_boards_sort_by_mouse_and_keyboard_and_say_how(visit: Callable[..., Any]) -> None:
    tab = visit("index.html")
    header = tab.locator(f'{CIRCUITS} th[data-sort="score"]')
    assert header.get_attribute("aria-sort") == "descending"
    best_first = names(tab)
    assert best_first[:2] == ["oracle", "eap"]
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert names(tab)[-1] == "oracle"
    by_name = tab.locator(f'{CIRCUITS} th[data-sort="name"]')
    by_name.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert by_name.get_attribute("aria-sort") == "ascending"
    assert header.get_attribute("aria-sort") is None
    listed = names(tab)
    assert listed.index("eap") < listed.index("oracle") < listed.index("weight-norm")
    assert len(listed) == len(best_first)


def test_the_first_column_stays_in_view(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", viewport={"width": 390, "height": 844})
    region = tab.locator(f"{CIRCUITS} .scroll")
    region.evaluate("element => { element.scrollLeft = 300 }")
    cell = tab.locator(f"{CIRCUITS} tbody th").first
    assert abs(cell.bounding_box()["x"] - region.bounding_box()["x"]) < 1


def test_no_column_of_a_board_is_cut_off_on_a_laptop(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", viewport={"width": 1200, "height": 800})
    for region in tab.locator(".board .scroll").all():
        assert region.evaluate("element => element.scrollWidth - element.clientWidth") <= 0


def test_before_any_filter_the_browser_shows_what_was_built(visit: Callable[..., Any]) -> None:
    def shown(tab: Any) -> list[str]:
        texts: list[str] = tab.locator("tbody tr[data-row]").all_inner_texts()
        return texts

    assert shown(visit("index.html")) == shown(visit("index.html", java_script_enabled=False))


def test_without_scripts_the_boards_stand_and_no_dead_control_is_shown(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", java_script_enabled=False)
    assert names(tab)[:2] == ["oracle", "eap"]
    assert not tab.locator("#filters").is_visible()
    assert not tab.locator("#theme").is_visible()
    assert tab.locator("button:visible").count() == 0


def test_a_filter_gives_the_standings_of_the_chosen_tasks(visit: Callable[..., Any], results: list[CellResult]) -> None:
    tab = visit("index.html")
    tab.locator('input[name="size"][value="s"]').check()
    tab.locator('input[name="variant"][value="tree"]').check()
    tab.locator('input[name="variant"][value="decoy"]').check()
    kept = [one for one in results if one.key.task.split("/")[1].startswith(("tree-s-", "decoy-s-"))]
    for row in standings(kept):
        told = cells(tab, row.scorer, f'[data-board^="{row.track}-"]')
        assert told["score"] == figures.score(row.score)
        assert told["coverage"] == f"{row.answered}/{row.asked}"
        assert told["rank"].partition(" ")[0] == (figures.ABSENT if row.rank is None else str(row.rank))
        assert told["passes"] == f"{figures.count(row.forward_passes)} + {figures.count(row.backward_passes)}"
        assert told["seconds"] == figures.seconds(row.wall_seconds)
        if row.interval:
            low, high = (float(part.replace(figures.MINUS, "-")) for part in told["interval"].split(" to "))
            assert low == pytest.approx(row.interval[0], abs=0.03)
            assert high == pytest.approx(row.interval[1], abs=0.03)
    assert "3 of 5 tasks" in tab.locator("#selected").inner_text()
    assert tab.locator(".seed.out").count() == 2
    point = tab.locator(f"{CIRCUITS} tr.method .point").first
    assert 5 <= float(point.get_attribute("cx")) <= 145


def test_a_filter_that_leaves_nothing_says_so(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", "#size=xs&variant=decoy")
    assert cells(tab, "eap")["score"] == figures.ABSENT
    assert cells(tab, "eap")["coverage"] == "0/0"
    tab.get_by_role("button", name="Show all").click()
    assert cells(tab, "eap")["coverage"] == "5/5"
    assert "#" not in tab.url.replace("%231", "")


def test_an_address_with_filters_opens_as_it_was(visit: Callable[..., Any]) -> None:
    tab = visit("index.html")
    tab.locator('input[name="variant"][value="tree"]').check()
    tab.locator('input[name="size"][value="s"]').check()
    tab.locator(f'{CIRCUITS} th[data-sort="passes"] button').click()
    before = (names(tab), cells(tab, "eap"), tab.url)
    assert "size=s" in tab.url
    tab.reload()
    assert (names(tab), cells(tab, "eap"), tab.url) == before
    assert tab.locator('input[name="variant"][value="tree"]').is_checked()
    assert tab.locator(f'{CIRCUITS} th[data-sort="passes"]').get_attribute("aria-sort") == "ascending"
    other = visit("index.html", "#" + before[2].rpartition("#")[2])
    assert (names(other), cells(other, "eap")) == before[:2]


def test_an_address_made_up_by_others_does_no_harm(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", "#size=<img src=x onerror=alert(1)>&sort=circuits-1.__proto__.up&sort=%&variant=")
    assert cells(tab, "eap")["coverage"] == "5/5"
    assert tab.locator("img").count() == 0


def test_a_link_leads_from_the_board_to_a_task_and_back(visit: Callable[..., Any]) -> None:
    tab = visit("index.html")
    tab.locator('.seed[data-task="boolean/tree-s-0"]').click()
    assert tab.locator("h1").inner_text() == "boolean/tree-s-0"
    tab.get_by_role("link", name="eap", exact=True).first.click()
    assert tab.locator("h1").inner_text() == "eap"
    tab.get_by_role("link", name="circuits").first.click()
    assert re.search(r"index\.html#circuits-\d+$", tab.url)


def test_a_place_on_the_page_is_reached_without_losing_the_filters(visit: Callable[..., Any]) -> None:
    tab = visit("index.html", "#size=s")
    tab.get_by_role("link", name="Tasks", exact=True).click()
    assert tab.url.endswith("#size=s")
    assert tab.evaluate("document.activeElement.id") == "tasks"
    tab.keyboard.press("Control+Home")
    tab.locator(".skip").focus()
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_a_scorer_s_answer_is_drawn_over_the_truth(visit: Callable[..., Any]) -> None:
    tab = visit("task/boolean--tree-s-0.html")
    figure = tab.locator('[data-figure="circuit"]')
    shown = figure.locator("g.overlay:visible path")
    assert shown.count() == 0
    figure.get_by_label("eap").check(force=True)
    assert figure.locator("g.overlay.shown").count() == 1
    size = circuit_size("boolean/tree-s-0")
    counts = {kind: figure.locator(f"g.overlay.shown .{kind} path").count() for kind in ("found", "missed", "false")}
    assert counts == {"found": size - 1, "missed": 1, "false": 1}
    told = figure.locator(".in-words:visible").inner_text()
    assert f"found {size - 1} of {size} edges and named 1 in error" in told
    figure.get_by_label("missed").uncheck()
    assert not figure.locator("g.overlay.shown .missed").is_visible()
    assert figure.locator("g.overlay.shown .found").is_visible()
    figure.get_by_label("oracle").check(force=True)
    assert figure.locator("g.overlay.shown .found path").count() == size
    assert tab.url.endswith("#circuit=oracle")
    figure.get_by_label("nothing").check(force=True)
    assert shown.count() == 0
    assert not figure.locator(".in-words:visible").count()


def test_the_address_of_a_task_page_names_the_answers_that_it_shows(visit: Callable[..., Any]) -> None:
    tab = visit("task/boolean--tree-s-0.html", "#circuit=eap&variables=das")
    assert tab.locator('[data-figure="circuit"] .in-words:visible strong').inner_text() == "eap"
    figure = tab.locator('[data-figure="variables"]')
    assert figure.locator(".in-words:visible strong").inner_text() == "das"
    assert figure.locator("g.overlay.shown .false").count() >= 1
    tab.keyboard.press("Tab")
    tab.goto(tab.url.partition("#circuit")[0] + "#circuit=nobody")
    assert tab.locator("g.overlay.shown").count() == 0


def test_a_board_is_downloaded_as_it_is_shown(visit: Callable[..., Any], tmp_path: Path) -> None:
    tab = visit("index.html", "#size=s")
    tab.locator(f'{CIRCUITS} th[data-sort="name"] button').click()
    files = {}
    for kind in ("csv", "json"):
        with tab.expect_download() as download:
            tab.locator(f'{CIRCUITS} [data-download="{kind}"]').click()
        assert re.fullmatch(rf"peabench-circuits-\d+\.{kind}", download.value.suggested_filename)
        files[kind] = tmp_path / kind
        download.value.save_as(files[kind])
    told = json.loads(files["json"].read_text())
    assert [row["scorer"] for row in told["rows"]] == names(tab)
    assert told["filters"]["size"] == ["s"]
    assert told["tasks"] == [task for task in sorted(TASKS) if "-s-" in task]
    with files["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    plain = [row["scorer"] for row in told["rows"] if not row["scorer"].startswith("=")]
    assert [row["scorer"] for row in rows if not row["scorer"].startswith("'")] == plain
    assert "'=1+1" in [row["scorer"] for row in rows]  # no formula for a spreadsheet
    eap = next(row for row in rows if row["scorer"] == "eap")
    assert figures.score(float(eap["score"])) == cells(tab, "eap")["score"]
    assert eap["asked"] == "4"


def test_the_theme_follows_the_system_until_it_is_chosen(visit: Callable[..., Any], site: Site) -> None:
    def ground(tab: Any) -> str:
        colour: str = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return colour

    light, dark = "rgb(252, 252, 249)", "rgb(19, 23, 21)"
    tab = visit("index.html", color_scheme="dark")
    assert ground(tab) == dark
    assert ground(visit("index.html", color_scheme="light")) == light
    tab.get_by_role("button", name="Switch to the light theme").click()
    assert ground(tab) == light
    tab.goto(site.address("method.html"))
    assert ground(tab) == light
    tab.get_by_role("button", name="Switch to the dark theme").click()
    assert ground(tab) == dark


def test_hostile_names_are_shown_as_text_and_lead_to_their_pages(visit: Callable[..., Any], site: Site) -> None:
    tab = visit("index.html")
    told = tab.locator(f"{CIRCUITS} tbody").evaluate("element => element.textContent")
    assert all(name in told for name in HOSTILE)
    for name in HOSTILE:
        tab.goto(site.address(f"scorer/{slug(name)}.html"))
        assert tab.locator("h1").evaluate("element => element.textContent") == name
    tab.goto(site.address("task/boolean--tree-s-0.html"))
    tab.goto(site.address("plots.html"))
    assert tab.locator("img, iframe").count() == 0


def test_statistics_in_the_browser_are_those_of_the_standings(visit: Callable[..., Any]) -> None:
    tab = visit("index.html")
    tasks = [
        {"family": family, "provenance": provenance}
        for family, provenance in (("a", "planted"), ("a", "planted"), ("b", "planted"), ("c", "derived"))
    ]
    weights = tab.evaluate("tasks => PEABENCH_TEST.weigh(tasks)", tasks)
    assert weights == pytest.approx([0.125, 0.125, 0.25, 0.5])
    assert tab.evaluate("tasks => PEABENCH_TEST.weigh(tasks)", tasks[:3]) == pytest.approx([0.25, 0.25, 0.5])
    assert tab.evaluate("tasks => PEABENCH_TEST.bootstrap(tasks, [1, 2, 3, 4])", tasks) is None
    same = tab.evaluate("tasks => [...PEABENCH_TEST.bootstrap(tasks, [0, 1])]", tasks[:2])
    assert len(same) == 2000
    assert set(same) == {0.0, 0.5, 1.0}
    assert sum(same) / 2000 == pytest.approx(0.5, abs=0.04)


def test_figures_are_written_alike_in_python_and_in_the_browser(visit: Callable[..., Any]) -> None:
    tab = visit("method.html")
    values = [0, 0.00012, 0.0234, 0.9951, 1.26, 12.5, 99.4, 340.0, 7200.0, 25_600.0, 1.5e6, 8.9e9]
    for name in ("seconds", "count", "size"):
        numbers = [round(value) if name == "size" else value for value in values]
        told = tab.evaluate(f"numbers => numbers.map(PEABENCH_TEST.write.{name})", numbers)
        assert told == [getattr(figures, name)(number) for number in numbers]
    scores = [0.8934, -0.0004, -0.03149, 1, None]
    assert tab.evaluate("scores => scores.map(PEABENCH_TEST.write.score)", scores) == [*map(figures.score, scores)]
