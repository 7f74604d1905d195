"""The commands of the tasks' package: tables of what ships, and what they cannot do in one sentence."""

import importlib
import sys

import pytest

from peabench_tasks.commands import print_table, run


def refusal(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a command that must fail with exit code 2 says, in one line."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as ended:
        run(importlib.import_module(f"peabench_tasks.{name}").main)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    return line


@pytest.mark.parametrize(
    "name", ["evidence", "audits.evidence", "goals.swaps", "multitask_parity.knockouts", "boolean.recertify", "card"]
)
def test_a_glob_that_no_task_matches_is_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(name, ["nothing/*"], monkeypatch, capsys).startswith("Error: No task matches 'nothing/*'; ")


@pytest.mark.parametrize("name", ["backdoors.evasion", "modular.forms", "routed.ablations"])
def test_arguments_of_a_command_that_takes_none_are_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(name, ["routed/*"], monkeypatch, capsys) == (
        "Error: Expected no arguments, got 'routed/*'; run it without."
    )


@pytest.mark.parametrize(("name", "task"), [("evidence", "superposition/*"), ("audits.evidence", "boolean/tree-xs-0")])
def test_tasks_of_another_track_are_one_sentence(
    name: str, task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"No task that matches {task!r} is of the track " in refusal(name, [task], monkeypatch, capsys)


@pytest.mark.parametrize("arguments", [[], ["core"], ["2", "nonsense"]])
def test_freezing_wants_a_version_and_known_suites(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Expected a version and any of core, " in refusal("freeze", arguments, monkeypatch, capsys)


def test_a_table_begins_with_its_texts(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b", "c"), [("x", "y", "1")], texts=2)
    assert capsys.readouterr().out == "| a | b | c |\n| --- | --- | ---: |\n| x | y | 1 |\n"


@pytest.mark.parametrize("code", [None, 1])
def test_what_a_command_returns_is_its_exit_code(code: int | None) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: code)
    assert ended.value.code == code
