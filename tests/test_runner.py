"""Cells: seeded from their identity, isolated, resumable, never stale."""

import json
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch

from peabench.answering import moved
from peabench.answers import read_answers
from peabench.cells import Cell, run_cell
from peabench.discovery import find_scorers
from peabench.errors import PeabenchError
from peabench.results import CellResult, answer_hash, read
from peabench.runner import done_already, plan, run
from peabench.suites import get_suite


def cells_of(*scorers: str, seed: int = 0, tasks: str = "*") -> list[Cell]:
    return plan(find_scorers(scorers)[0], get_suite("all"), tasks=tasks, seed=seed)


def run_all(cells: list[Cell], out: Path, **options: float) -> dict[tuple[str, str], CellResult]:
    results = run(cells, out, jobs=0, timeout=options.get("timeout"))
    return {(result.key.scorer, result.key.task): result for result in results}


def test_every_scorer_meets_every_task_and_the_oracle_is_right(toy: ModuleType, tmp_path: Path) -> None:
    results = run_all(cells_of(), tmp_path)
    assert len(results) == 4 * 4
    assert {result.status for result in results.values()} == {"ok"}
    assert all(results["oracle", task].metrics["score"] == pytest.approx(1) for _, task in results)
    assert results["noise", "toy/a-0"].metrics["score"] < 0.9


def test_a_result_says_what_it_cost_and_what_it_was_made_with(toy: ModuleType, tmp_path: Path) -> None:
    result = run_all(cells_of("noise", tasks="toy/a-0"), tmp_path)["noise", "toy/a-0"]
    assert result.cost is not None
    assert result.cost.forward_passes == 2 * 2 * 4  # questions, calls, examples
    assert result.cost.wall_seconds > 0
    assert len(result.questions) == 2
    assert result.metrics["score"] == pytest.approx(sum(question["score"] for question in result.questions) / 2)
    assert result.environment["torch"]
    assert result.key.track_version == 3
    assert read(tmp_path / "guess" / "noise" / "toy--a-0.seed-0.cpu.json") == result


def test_a_cell_depends_on_its_identity_and_not_on_its_order(toy: ModuleType, tmp_path: Path) -> None:
    forth = run_all(cells_of("noise"), tmp_path / "forth")
    back = run_all(cells_of("noise")[::-1], tmp_path / "back")
    assert {key: r.answer_hash for key, r in forth.items()} == {key: r.answer_hash for key, r in back.items()}
    assert len({result.answer_hash for result in forth.values()}) == 4


def test_where_there_is_a_twin_the_score_on_it_is_taken_off_as_selectivity(
    toy: ModuleType, points: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points["peabench.scorers"].append("honest = toy_laboratory:Honest")
    alone = run_all(cells_of("honest", "noise", tasks="toy/b-1"), tmp_path / "alone")
    monkeypatch.setattr(toy.GuessTrack, "with_twins", True)
    results = run_all(cells_of("honest", "noise", tasks="toy/b-1"), tmp_path / "twins")
    assert results["honest", "toy/b-1"].metrics["selectivity"] == pytest.approx(0.5)  # the mean of 1, 0.2 and 0.3
    for key, result in results.items():
        mine, before = (read_answers(tmp_path / name, result.key) for name in ("twins", "alone"))
        assert mine is not None
        assert list(mine) == ["0", "0.twin", "1", "1.twin"]
        assert answer_hash({name: mine[name] for name in ("0", "1")}) == answer_hash(before)
        assert "selectivity" not in alone[key].metrics
    assert results["noise", "toy/b-1"].cost is not None
    assert results["noise", "toy/b-1"].cost.forward_passes == 16  # the twin is not on the bill


def test_another_seed_asks_other_questions_and_leaves_the_first_ones_results(toy: ModuleType, tmp_path: Path) -> None:
    first = run_all(cells_of("oracle"), tmp_path)
    second = run_all(cells_of("oracle", seed=1), tmp_path)
    assert all(first[key].answer_hash != second[key].answer_hash for key in first)
    assert done_already(cells_of("oracle"), tmp_path) == done_already(cells_of("oracle", seed=1), tmp_path) == 4


@pytest.mark.parametrize(
    ("mood", "status", "reason"),
    [
        ("crash", "failed", "ZeroDivisionError: one two"),
        ("nan", "failed", "Expected finite numbers in 'answer', got NaN or infinity; answer finite numbers only."),
        ("shape", "failed", "Expected three numbers; answer a tensor of shape [3]."),
        ("memory", "failed", "MemoryError"),
        ("exit", "failed", "SystemExit: 3"),
        ("slow", "failed", "The cell took more than its 0.2 s; raise --timeout to give it more."),
        ("vandal", "failed", "The scorer changed the network's weight; it must leave the network as it was found."),
        ("decline", "declined", "not today"),
        ("shrug", "declined", "It gave no reason."),
        ("nod", "failed", "Expected `applicable` to return a reason or None, got a bool."),
        ("mangled", "failed", "ValueError: ?"),
        ("mute", "failed", "MuteError"),
    ],
)
def test_what_goes_wrong_in_a_cell_stays_in_it(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mood: str, status: str, reason: str
) -> None:
    monkeypatch.setenv("TOY_MOOD", mood)
    results = run_all(cells_of("moody"), tmp_path, timeout=0.2)
    bad = results.pop(("moody", "toy/b-1"))
    assert (bad.status, bad.reason) == (status, reason)
    assert bool(bad.traceback) == (status == "failed")
    assert len(results) == 3
    assert {result.status for result in results.values()} == {"ok"}


def test_a_scorer_that_prints_does_not_spoil_the_output(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOY_MOOD", "chatty")
    run_all(cells_of("moody"), tmp_path)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "a word" in printed.err


def test_a_file_that_prints_when_it_is_imported_does_not_spoil_the_output(
    toy: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "chatty.py"
    file.write_text("import os\nprint('a word')\nos.write(1, b'a native word')\n" + "raise SystemExit\n")
    with pytest.raises(PeabenchError, match="could not be imported"):
        cells_of(str(file))
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "a word" in printed.err
    assert "a native word" in printed.err


def test_a_run_that_is_stopped_continues_where_it_was(toy: ModuleType, tmp_path: Path) -> None:
    cells = cells_of("noise")
    started = run(cells, tmp_path, jobs=0)
    first = next(started)
    started.close()  # type: ignore[attr-defined]
    assert done_already(cells, tmp_path) == 1
    before = (tmp_path / first.key.file).stat().st_mtime_ns
    assert len(run_all(cells, tmp_path)) == 4
    assert (tmp_path / first.key.file).stat().st_mtime_ns == before
    assert done_already(cells, tmp_path) == 4
    assert not list(tmp_path.rglob("*.part"))


def test_a_failed_cell_is_tried_again(toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_MOOD", "crash")
    run_all(cells_of("moody"), tmp_path)
    assert done_already(cells_of("moody"), tmp_path) == 3
    monkeypatch.setenv("TOY_MOOD", "")
    assert run_all(cells_of("moody"), tmp_path)["moody", "toy/b-1"].status == "ok"


def test_a_stale_cell_is_never_reused(toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all(cells_of("noise", "mean"), tmp_path)
    assert done_already(cells_of("noise", "mean"), tmp_path) == 8
    assert done_already(cells_of("noise", "mean", seed=1), tmp_path) == 0
    record = toy.FAMILY.checkpoints / "a-0" / "task.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"truth": [0.5, 0.5, 0.5]}))
    stale = [cell.key for cell in cells_of("noise", "mean") if not done_already([cell], tmp_path)]
    # every other task's `mean` learnt from the one that changed
    assert [key.task for key in stale if key.scorer == "noise"] == ["toy/a-0"]
    assert len([key for key in stale if key.scorer == "mean"]) == 4
    monkeypatch.setattr(toy.Noise, "version", "2")
    assert done_already(cells_of("noise"), tmp_path) == 0
    monkeypatch.setattr(toy.GuessTrack, "version", 4)
    assert done_already(cells_of("mean"), tmp_path) == 0


def test_a_scorer_with_other_source_or_parameters_is_another_cell(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all(cells_of("noise", "moody"), tmp_path)
    assert done_already(cells_of("noise", "moody"), tmp_path) == 8
    monkeypatch.setattr(toy.Noise, "calls", 5, raising=False)
    assert done_already(cells_of("noise"), tmp_path) == 0
    assert done_already(cells_of("moody"), tmp_path) == 4
    run_all(cells_of("noise"), tmp_path)
    assert done_already(cells_of("noise"), tmp_path) == 4
    monkeypatch.setattr(toy.Noise, "calls", 6)
    assert done_already(cells_of("noise"), tmp_path) == 0
    monkeypatch.setattr("peabench.discovery.source_hash", lambda scorer: "another text")
    assert done_already(cells_of("moody"), tmp_path) == 0


def test_a_file_of_scorers_that_is_edited_gives_other_cells(toy: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = "import torch\nfrom peabench import Scorer\n\nclass Mine(Scorer):\n    name = 'mine'\n    track = 'guess'\n"
    text += "    reference = 'me'\n\n    def score(self, question):\n        return torch.zeros(3)\n"
    file.write_text(text)
    run_all(cells_of(str(file)), tmp_path / "out")
    assert done_already(cells_of(str(file)), tmp_path / "out") == 4
    file.write_text(text.replace("zeros", "ones"))
    assert done_already(cells_of(str(file)), tmp_path / "out") == 0


def test_what_a_killed_run_left_half_written_is_removed(toy: ModuleType, tmp_path: Path) -> None:
    cells = cells_of("noise", tasks="toy/a-0")
    file = tmp_path / cells[0].key.file
    file.parent.mkdir(parents=True)
    part = file.with_name(f".{file.name}.{os.uname().nodename.partition('.')[0]}.999999999.part")
    part.write_text('{"key":')
    assert done_already(cells, tmp_path) == 0
    run_all(cells, tmp_path)
    assert sorted(file.parent.iterdir()) == [file, file.with_suffix(".safetensors")]
    assert not list(file.parent.glob(".*"))


def test_a_file_that_is_no_result_is_made_again(toy: ModuleType, tmp_path: Path) -> None:
    cells = cells_of("noise", tasks="toy/a-0")
    run_all(cells, tmp_path)
    (tmp_path / cells[0].key.file).write_text("{")
    assert run_all(cells, tmp_path)["noise", "toy/a-0"].status == "ok"


def test_a_task_that_its_suite_did_not_freeze_is_a_failed_cell(toy: ModuleType, tmp_path: Path) -> None:
    suite = get_suite("all")
    (toy.FAMILY.checkpoints / "a-0" / "extra.json").write_text("{}")
    results = run_all(plan(find_scorers(["oracle"])[0], suite), tmp_path)
    assert "not the task that suite all version 0 froze" in results["oracle", "toy/a-0"].reason
    assert [result.status for result in results.values()].count("ok") == 3


def test_the_cards_of_a_task_are_no_part_of_its_content(toy: ModuleType) -> None:
    suite = get_suite("all")
    (toy.FAMILY.checkpoints / "a-0" / "README.md").write_text("another card")
    (toy.FAMILY.checkpoints / "a-0" / "certificate.json").write_text("[]")
    assert get_suite("all") == suite


def test_a_question_moves_to_another_device_as_a_copy(toy: ModuleType) -> None:
    network = toy.ToyNetwork([1.0, 2.0, 3.0])
    data = {"bases": [torch.ones(2), (torch.zeros(1), "resid.1@0")], "question": toy.Question(network, 0.5)}
    there = moved(data, "meta")
    assert there["bases"][0].is_meta
    assert there["bases"][1][0].is_meta
    assert there["bases"][1][1] == "resid.1@0"
    assert there["question"].network.weight.is_meta
    assert there["question"].shift == 0.5
    assert not network.weight.is_meta


def test_no_task_for_the_scorers_is_an_error(toy: ModuleType) -> None:
    with pytest.raises(PeabenchError, match="No task matches"):
        cells_of("oracle", tasks="toy/z*")


def test_a_result_of_a_cell_can_be_sent_between_processes(toy: ModuleType) -> None:
    import pickle

    cell = cells_of("oracle")[0]
    assert pickle.loads(pickle.dumps(cell)) == cell  # noqa: S301 - joblib's own way between processes
    result = run_cell(cell).result
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301
