"""`peabench leaderboard` and `peabench compare` as people and programs see them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cells import cell

from peabench.results import save

Invoke = Callable[..., Any]


@pytest.fixture
def board(points: dict[str, list[str]], tmp_path: Path) -> Path:
    """Results of methods with long names on two tracks, one of them with holes."""
    points["peabench.commands"] = [
        "leaderboard = peabench_leaderboard.command:leaderboard",
        "compare = peabench_leaderboard.command:compare",
    ]
    folder = tmp_path / "results"
    tasks = [f"boolean/{variant}-{size}-{seed}" for variant in ("tree", "rare") for size in "sm" for seed in range(3)]
    for i, task in enumerate(tasks):
        place = {"provenance": "planted"}
        save(cell("gradient-activation-of-some-kind", task, 0.5 + 0.03 * i, **place), folder)
        save(cell("eap", task, 0.4 + 0.03 * i, **place), folder)
        save(cell("exact-patching", task, None if i < 2 else 0.9, **place), folder)
        save(cell("das", task, 0.1 * (i % 7), track="variables", **place), folder)
    return folder


def printed(result: Any) -> str:
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    return str(result.stdout)


def test_a_board_says_how_firm_it_is_and_what_is_missing(invoke: Invoke, board: Path) -> None:
    shown = printed(invoke("leaderboard", "--results", str(board)))
    circuits, variables = shown.split("variables (version 1)")
    told = " ".join(circuits.split())
    assert "Disjoint halves of the tasks' seeds rank the methods alike to Kendall's tau 1.00;" in told
    assert "can be told from chance in a typical pair of methods, and in 1 of the 1 pairs it is." in told
    assert "All tasks are planted: that they weigh at most one half cannot hold here." in circuits
    assert "exact-patching, 2 of 12 tasks failed: broken" in circuits
    assert "from chance" not in variables  # a single method is not told apart from another
    every = printed(invoke("leaderboard", "--results", str(board), "--missing"))
    assert "exact-patching, boolean/rare-s-0 failed: broken" not in every
    assert "exact-patching, boolean/tree-s-0 failed: broken" in every
    assert "exact-patching, boolean/tree-s-1 failed: broken" in every


def test_what_a_scorer_earns_where_it_answered_stands_beside_its_reasons(invoke: Invoke, board: Path) -> None:
    for place in (f"{size}-{seed}" for size in "sm" for seed in range(3)):
        save(cell("narrow", f"boolean/tree-{place}", 0.8, provenance="planted"), board)
        none = cell("narrow", f"boolean/rare-{place}", None, provenance="planted")
        save(none.model_copy(update={"status": "declined", "reason": "not mine"}), board)
    told = " ".join(printed(invoke("leaderboard", "--results", str(board))).split())
    assert re.search(r" 3( \(\d-\d\))? narrow 0\.400 ", told)
    assert "narrow (0.800 where it answered), 6 of 12 tasks declined: not mine" in told


def test_tasks_that_a_null_tells_are_left_out_above_it_and_that_is_said(invoke: Invoke, board: Path) -> None:
    for seed in range(3):
        save(cell("prior", f"boolean/tree-s-{seed}", 0.2 if seed else 1.0, role="null"), board)
    shown = invoke("leaderboard", "--results", str(board), "--metric", "above_null")
    assert "circuits (version 1), 2 tasks" in printed(shown)
    assert "Left out: 1 of the tasks of circuits, on which a null earns 1" in " ".join(shown.stderr.split())


def test_what_results_say_neither_styles_nor_steers_a_terminal(invoke: Invoke, board: Path) -> None:
    reason = "shape [batch, 3] and [/red] :warning: \x1b[2J\x07 \u202e\u2028"
    for seed in range(3):
        save(cell("hostile", f"boolean/tree-s-{seed}", None, reason=reason), board)
    for options in ((), ("--missing",)):
        shown = invoke("leaderboard", "--results", str(board), *options)
        assert shown.exit_code == 0, shown.stderr
        told = " ".join(shown.stdout.split())
        assert "shape [batch, 3] and [/red] :warning: \ufffd[2J\ufffd \ufffd\ufffd" in told
        assert "\x1b" not in shown.stdout


def test_rows_that_differ_in_version_or_source_alone_are_told_apart(invoke: Invoke, board: Path) -> None:
    for i, changes in enumerate(({"scorer_version": "2"}, {"source_hash": "0123456789"})):
        for seed in range(3):
            save(cell("eap", f"boolean/tree-s-{seed}", 0.1, seed=i + 1, **changes), board)
    told = printed(invoke("leaderboard", "--results", str(board)))
    assert all(text in " ".join(told.split()) for text in ("version 2", "version 1, source 01234567"))


@pytest.mark.parametrize("kind", ["family", "variant", "size", "provenance", "scale"])
def test_scores_can_be_split(invoke: Invoke, board: Path, kind: str) -> None:
    shown = printed(invoke("leaderboard", "--results", str(board), "--by", kind))
    assert f"circuits: score by {kind}" in shown
    headers = {"family": "boolean", "variant": "tree", "size": " s ", "provenance": "planted", "scale": " m"}
    assert headers[kind] in shown
    if kind == "variant":
        assert shown == printed(invoke("leaderboard", "--results", str(board), "--variants"))
    if kind == "scale":
        assert "eap on boolean/rare" in shown


def test_splits_of_many_columns_fit_a_terminal(invoke: Invoke, board: Path) -> None:
    for number in range(20):
        save(cell("eap", f"boolean/variant_{number}-s-0", number / 20), board)
    lines = printed(invoke("leaderboard", "--results", str(board), "--variants")).splitlines()
    assert max(map(len, lines)) <= 80
    shown = {word for line in lines for word in line.split()}
    assert {f"variant_{number}" for number in range(20)} | {f"{number / 20:.2f}" for number in range(20)} <= shown


def test_json_has_the_missing_cells_and_every_split(invoke: Invoke, board: Path) -> None:
    rows = {row["scorer"]: row for row in json.loads(invoke("leaderboard", "--results", str(board), "--json").stdout)}
    assert rows["exact-patching"]["missing"][0] == {"task": "boolean/tree-s-0", "status": "failed", "reason": "broken"}
    assert set(rows["eap"]["sizes"]) == {"s", "m"}
    assert set(rows["eap"]["scale"]) == {"boolean/tree", "boolean/rare"}
    assert rows["eap"]["planted_share"] == pytest.approx(1)
    firm = json.loads(invoke("leaderboard", "stability", "--results", str(board), "--json").stdout)
    assert [(found["track"], found["tau"], found["pairs"]) for found in firm] == [
        ("circuits", 1, 1),
        ("variables", None, 0),
    ]
    assert "circuits" in printed(invoke("leaderboard", "stability", "--results", str(board)))


def test_two_scorers_are_compared(invoke: Invoke, board: Path) -> None:
    options = ("gradient-activation-of-some-kind", "eap", "--results", str(board))
    shown = printed(invoke("compare", *options))
    assert "+0.100" in shown
    assert "gradient-activation-of-some-kind is better: the interval leaves 0 out." in " ".join(shown.split())
    found = json.loads(invoke("compare", *options, "--json").stdout)
    assert found["overall"]["difference"] == pytest.approx(0.1)
    assert set(found["variants"]) == {"tree", "rare"}
    assert "do" not in found
    with_holes = printed(invoke("compare", "eap", "exact-patching", "--results", str(board)))
    assert "eap alone answered 2 cells; they are not compared." in with_holes
    same = printed(invoke("compare", "eap", "eap", "--results", str(board)))
    assert "do not tell eap and eap apart" in same


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("eap", "eep"), "No result is of a scorer 'eep'; did you mean eap?"),
        (("eap", "das"), "eap answers circuits and das answers variables"),
        (("eap", "eap", "--track", "wit"), "do not both answer 'wit'"),
        (("eap", "eap", "--metric", "wit"), "No result has the metric 'wit'"),
    ],
)
def test_what_cannot_be_compared_exits_2_with_one_sentence(
    invoke: Invoke, board: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = invoke("compare", *arguments, "--results", str(board))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_a_run_is_collected_verified_and_shown(
    invoke: Invoke, points: dict[str, list[str]], board: Path, tmp_path: Path
) -> None:
    run, to = str(tmp_path / "run"), tmp_path / "to"
    live = printed(invoke("run", "--suite", "all", "--out", run, "--jobs", "0"))
    collected = invoke("leaderboard", "collect", run, "--to", str(to), "--suite", "all")
    assert collected.exit_code == 0
    assert f"The results of 4 scorers on all stand in {to}." in collected.stderr
    assert printed(invoke("leaderboard", "--results", str(to))) == live
    verified = invoke("leaderboard", "verify", "--results", str(to), "--recompute", "4")
    assert verified.exit_code == 0, verified.stderr
    assert "The 16 results in" in verified.stdout
    assert "4 run again give the same scores" in verified.stdout
    file = to / "guess" / "noise.all-0.json"
    file.write_text(file.read_text().replace('"score":0.', '"score":0.9', 1))
    changed = invoke("leaderboard", "verify", "--results", str(to))
    assert changed.exit_code == 1
    assert "noise.all-0.json was changed after it was collected" in changed.stderr


def test_mistakes_are_one_sentence(invoke: Invoke, board: Path, tmp_path: Path) -> None:
    misplaced = invoke("leaderboard", "--results", str(board), "verify")
    assert misplaced.exit_code == 2
    assert "Give --results after `verify`, not before it." in misplaced.stderr
    assert "There is no folder" in invoke("leaderboard", "verify", "--results", str(tmp_path / "no")).stderr
    unlisted = invoke("leaderboard", "verify", "--results", str(board))
    assert unlisted.exit_code == 2
    assert "manifest.json could not be read" in unlisted.stderr
    empty = invoke("leaderboard", "collect", str(board), "--to", str(tmp_path / "to"), "--suite", "all")
    assert empty.exit_code == 2
    assert "holds no result of a task of the suite all" in empty.stderr


def test_the_table_of_illusions_and_the_scores_beside_the_boards(
    invoke: Invoke, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, list[str]]
) -> None:
    package = tmp_path / "toy_illusions"
    package.mkdir()
    (package / "__init__.py").write_text("")
    tasks = [f"toy/deceiving-{seed}" for seed in range(2)]
    entry = {
        "name": "a-trap",
        "sentence": "It seems so.",
        "reference": "",
        "track": "circuits",
        "tasks": tasks,
        "plain": ["boolean/tree-s-0"],
        "method": "eap",
        "measure": "missed edges",
        "verified": ["necessity"],
    }
    (package / "illusions.json").write_text(json.dumps({"illusions": [entry]}))
    monkeypatch.syspath_prepend(str(tmp_path))
    points["peabench.illusions"] = ["toy = toy_illusions"]
    before = printed(invoke("leaderboard", "--results", str(board)))
    assert "Illusions" not in before
    assert "eap has results on 0 of 2 tasks" in invoke("leaderboard", "illusions", "--results", str(board)).stderr
    for task, score in zip(tasks, (0.1, 0.3), strict=True):
        save(cell("eap", task, score, suite="illusions 1"), board)
        save(cell("oracle", task, 1.0, role="oracle", suite="illusions 1"), board)
    assert "Illusions" not in printed(invoke("leaderboard", "--results", str(board)))  # there is no room for it
    monkeypatch.setenv("COLUMNS", "120")
    after = invoke("leaderboard", "--results", str(board)).stdout
    monkeypatch.setenv("COLUMNS", "80")
    assert "circuits (version 1), 12 tasks" in after
    assert "Illusions" in after
    (line,) = (line for line in after.splitlines() if re.search(r"\beap\b", line) and "12/12" in line)
    assert "0.20" in line.split()
    table = printed(invoke("leaderboard", "illusions", "--results", str(board)))
    assert re.search(r"a-trap +eap +0\.20 +0\.10 to 0\.30 +0\.\d\d +1\.00", table)
    assert re.search(r"eap +0\.\d{3} +0\.20 +0\.10 to 0\.30", table)
    told = json.loads(printed(invoke("leaderboard", "illusions", "--results", str(board), "--json")))
    assert told["illusions"][0]["score"]["score"] == pytest.approx(0.2)
    assert [row["scorer"] for row in told["scores"]] == ["eap"]
    missing = invoke("leaderboard", "illusions", "--results", str(board), "--only", "nothing")
    assert missing.exit_code == 2
    assert "No illusion matches 'nothing'" in missing.stderr
