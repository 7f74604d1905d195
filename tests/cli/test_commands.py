"""What every command prints, as tables that fit a terminal and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Invoke = Callable[..., Any]


def printed(result: Any) -> str:
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    return str(result.stdout)


def test_tasks(invoke: Invoke) -> None:
    assert "toy/b-1" in printed(invoke("tasks"))
    listing = json.loads(invoke("tasks", "--json").stdout)
    assert [task["id"] for task in listing] == ["toy/a-0", "toy/a-1", "toy/b-0", "toy/b-1"]
    assert listing[0] == {
        "id": "toy/a-0",
        "family": "toy",
        "variant": "a",
        "size": "xs",
        "seed": 0,
        "tracks": ["guess"],
        "provenance": "constructed",
        "domain_size": 8,
        "difficulty": "",
    }
    assert len(json.loads(invoke("tasks", "toy/a-*", "--json").stdout)) == 2


def test_scorers(invoke: Invoke) -> None:
    assert "oracle" in printed(invoke("scorers"))
    listing = {entry["name"]: entry for entry in json.loads(invoke("scorers", "--json").stdout)}
    assert set(listing) == {"mean", "moody", "noise", "oracle"}
    assert {"track", "reference", "deterministic", "role", "version"} <= set(listing["noise"])


def test_run_prints_standings_and_leaderboard_finds_them_again(invoke: Invoke, tmp_path: Path) -> None:
    out = str(tmp_path / "results")
    run = invoke("run", "--suite", "all", "--out", out, "--jobs", "0")
    assert "4/4" in printed(run)
    again = invoke("run", "--suite", "all", "--out", out, "--jobs", "0", "--json")
    assert "16 of 16 cells are finished" in again.stderr
    rows = json.loads(again.stdout)
    assert rows[0]["scorer"] == "oracle"
    for row in rows:
        assert row["track"] == "guess"
        assert row["coverage"] == 1.0
        assert row["interval"][0] <= row["score"] <= row["interval"][1]
        assert set(row["cost"]) == {"forward_passes", "backward_passes", "wall_seconds", "peak_memory_bytes"}


def test_run_reports_what_was_not_answered_on_standard_error(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_MOOD", "crash")
    result = invoke("run", "moody", "--suite", "all", "--out", str(tmp_path), "--jobs", "0")
    assert "3/4" in printed(result)
    assert "failed: guess moody toy/b-1: ZeroDivisionError: one two" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_scorer_in_a_file_runs(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "my_scorer.py"
    file.write_text(
        "import torch\nfrom peabench import Scorer\n\n\nclass Mine(Scorer):\n    name = 'mine'\n    track = 'guess'\n"
        "    reference = 'me'\n\n    def score(self, question):\n        return torch.zeros(3)\n"
    )
    arguments = (
        "run",
        str(file),
        "--suite",
        "all",
        "--task",
        "toy/a-*",
        "--out",
        str(tmp_path),
        "--jobs",
        "0",
        "--json",
    )
    rows = {row["scorer"]: row for row in json.loads(invoke(*arguments).stdout)}
    assert set(rows) == {"mine", "oracle", "mean"}
    assert (rows["mine"]["answered"], rows["mine"]["asked"]) == (2, 2)


def test_a_run_in_which_every_method_failed_exits_1(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "from peabench import Scorer\n\n\nclass Broken(Scorer):\n    name = 'broken'\n    track = 'guess'\n"
        "    reference = 'me'\n\n    def score(self, question):\n        return None\n"
    )
    options = ("--suite", "all", "--jobs", "0", "--out", str(tmp_path / "out"))
    assert invoke("run", str(file), *options).exit_code == 1
    assert invoke("run", str(file), "noise", *options).exit_code == 0


def test_a_folder_that_cannot_hold_results_is_refused_before_the_first_cell(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        result = invoke("run", "noise", "--suite", "all", "--jobs", "0", "--out", str(out))
        assert result.exit_code == 2
        assert "cannot hold results" in result.stderr
        assert "name a folder that can be written with --out" in result.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "guess").write_text("")
    result = invoke("run", "noise", "--suite", "all", "--jobs", "0", "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "could not be written" in result.stderr


def test_train_writes_a_familys_tasks(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("train", "toy", "--out", str(tmp_path / "trained"), "--seed", "7")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "trained" / "a" / "task.json").read_text())["truth"] == [7.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tasks", "toy/a-7"), "No task matches 'toy/a-7'; did you mean toy/a-"),
        (("show", "toy/z-9"), "No task matches 'toy/z-9'"),
        (("show", "toy/*"), "'toy/*' matches 4 tasks (toy/a-0, toy/a-1, toy/b-0, ...); name one of them."),
        (("run", "nois", "--suite", "all"), "There is no scorer 'nois'; did you mean noise?"),
        (("run", "--suite", "cor"), "There is no suite 'cor'; known are all."),
        (("run", "--suite", "all", "--task", "x/*"), "No task matches 'x/*'"),
        (("run", "--track", "gess", "--suite", "all"), "There is no track 'gess'; did you mean guess?"),
        (("run", "./absent.py", "--suite", "all"), "absent.py could not be read"),
        (("certify",), "Name the tasks to certify, or give --all or --suite."),
        (("train", "toi"), "There is no family 'toi'; did you mean toy?"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_code_2(
    invoke: Invoke, arguments: tuple[str, ...], sentence: str
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_mistyped_command_gets_a_suggestion(invoke: Invoke) -> None:
    result = invoke("taks")
    assert result.exit_code == 2
    assert "Did you mean 'tasks'?" in result.stderr


def test_debug_lets_the_error_through(invoke: Invoke) -> None:
    result = invoke("--debug", "tasks", "toy/a-7")
    assert type(result.exception).__name__ == "PeabenchError"


def test_a_plugged_in_command_is_one_of_the_commands_and_a_broken_one_is_named(
    invoke: Invoke, points: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    points["peabench.commands"] = ["leaderboard = peabench_leaderboard.command:leaderboard", "gone = gone_away:gone"]
    assert "leaderboard" in invoke("--help").stdout
    assert "gone_away:gone" in capsys.readouterr().err


def test_leaderboard_prints_the_standings_of_a_folder(
    invoke: Invoke, points: dict[str, list[str]], tmp_path: Path
) -> None:
    points["peabench.commands"] = ["leaderboard = peabench_leaderboard.command:leaderboard"]
    out = tmp_path / "results"
    run = invoke("run", "--suite", "all", "--out", str(out), "--jobs", "0", "--json")
    board = invoke("leaderboard", "--results", str(out), "--json")
    assert json.loads(board.stdout) == json.loads(run.stdout)
    assert "oracle" in printed(invoke("leaderboard", "--results", str(out)))
    other = invoke("leaderboard", "--results", str(out), "--metric", "wit")
    assert other.exit_code == 2
    assert "No result has the metric 'wit'" in other.stderr
    (out / "guess" / "noise" / "toy--a-0.seed-0.cpu.json").write_text("{}")
    damaged = invoke("leaderboard", "--results", str(out), "--json")
    assert "toy--a-0.seed-0.cpu.json is malformed: key" in damaged.stderr
    coverage = {row["scorer"]: row["coverage"] for row in json.loads(damaged.stdout)}
    assert coverage == {"oracle": 1.0, "mean": 1.0, "moody": 1.0, "noise": 0.75}
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no results" in invoke("leaderboard", "--results", str(empty)).stderr


def test_seeds_stand_side_by_side_on_the_board(invoke: Invoke, points: dict[str, list[str]], tmp_path: Path) -> None:
    points["peabench.commands"] = ["leaderboard = peabench_leaderboard.command:leaderboard"]
    for seed in ("0", "1"):
        printed(invoke("run", "noise", "--suite", "all", "--out", str(tmp_path), "--jobs", "0", "--seed", seed))
    board = printed(invoke("leaderboard", "--results", str(tmp_path)))
    assert "noise (seed 0)" in board
    assert "noise (seed 1)" in board
    listing = json.loads(invoke("leaderboard", "--results", str(tmp_path), "--json").stdout)
    assert {(row["seed"], row["device"]) for row in listing if row["scorer"] == "noise"} == {(0, "cpu"), (1, "cpu")}


def test_a_file_that_exits_on_import_is_one_sentence(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "leaving.py"
    file.write_text("raise SystemExit(3)")
    result = invoke("run", str(file), "--suite", "all")
    assert result.exit_code == 2
    assert "could not be imported: SystemExit: 3." in result.stderr


@pytest.mark.parametrize("mood", ["shrug", "mangled"])
def test_a_scorer_that_says_nothing_readable_does_not_stop_a_run(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    monkeypatch.setenv("TOY_MOOD", mood)
    assert "3/4" in printed(invoke("run", "moody", "--suite", "all", "--out", str(tmp_path), "--jobs", "0"))


def test_certify_exits_1_if_a_check_fails(invoke: Invoke, toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    def certify(task: Any, progress: Any = None) -> list[Any]:
        passed = task.record["truth"][0] != 1.0
        fields = {"name": "behaviour", "cases": 8, "errors": int(not passed), "exhaustive": True, "upper_bound": 0.0}
        return [SimpleNamespace(passed=passed, model_dump=lambda mode: fields | {"null": {}, "passed": passed})]

    checks = SimpleNamespace(certify=certify, contradiction=lambda task, checks: None)
    monkeypatch.setitem(sys.modules, "peabench.certification", checks)
    good = invoke("certify", "toy/a-*", "--jobs", "1", "--json")
    assert good.exit_code == 0
    listing = json.loads(good.stdout)
    assert [entry["passed"] for entry in listing] == [True, True]
    assert set(listing[0]["checks"][0]) >= {"name", "cases", "errors", "exhaustive", "upper_bound", "null"}
    bad = invoke("certify", "--all", "--jobs", "1")
    assert bad.exit_code == 1
    assert "3 of 4 tasks passed" in bad.stdout
