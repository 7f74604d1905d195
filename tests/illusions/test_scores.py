"""Illusion scores: from results alone, beside a track's score and not in it."""

import json
from pathlib import Path

import pytest
from cells import cell

from peabench.boards import boards
from peabench.catalogue import bundled_tasks
from peabench.certification import Check
from peabench.errors import PeabenchError
from peabench.illusions import Illusion, Illusions, illusion_rows, illusion_scores, installed_illusions
from peabench.illusions.measures import MEASURES, NULLS
from peabench.results import CellResult
from peabench.standings import standings
from peabench.tasks import load_task


def illusion(name: str, tasks: int, plain: int = 0) -> Illusion:
    return Illusion(
        name=name,
        sentence="",
        reference="",
        track="circuits",
        tasks=tuple(f"boolean/{name}-s-{i}" for i in range(tasks)),
        plain=tuple(f"boolean/plain-s-{i}" for i in range(plain)),
        method="eap",
        measure="missed edges",
        verified=("necessity",),
    )


ONE, OTHER = illusion("one", 2, plain=2), illusion("other", 3)


def on(scorer: str, illusion: Illusion, scores: list[float | None], suite: str = "illusions 1") -> list[CellResult]:
    return [cell(scorer, task, score, suite=suite) for task, score in zip(illusion.tasks, scores, strict=True)]


def test_every_illusion_counts_alike() -> None:
    results = [*on("eap", ONE, [0.0, 0.2]), *on("eap", OTHER, [1.0, 0.8, 0.9])]
    (found,) = illusion_scores(results, [ONE, OTHER]).values()
    assert found.score == pytest.approx((0.1 + 0.9) / 2)
    assert (found.answered, found.asked) == (5, 5)
    assert found.score is not None
    assert found.interval is not None
    low, high = found.interval
    assert (0.0 + 0.8) / 2 - 1e-9 <= low < found.score < high <= (0.2 + 1.0) / 2 + 1e-9


def test_what_is_declined_is_chance_and_what_failed_or_is_missing_leaves_no_score() -> None:
    results = on("eap", ONE, [0.6, None])
    declined = results[1].model_copy(update={"status": "declined", "reason": "not mine"})
    (found,) = illusion_scores([results[0], declined], [ONE]).values()
    assert found.score == pytest.approx(0.3)
    for some in (results, results[:1]):
        (found,) = illusion_scores(some, [ONE]).values()
        assert (found.score, found.interval, found.answered, found.asked) == (None, None, 1, 2)


def test_who_declined_everything_has_no_score() -> None:
    declined = [result.model_copy(update={"status": "declined"}) for result in on("eap", ONE, [None, None])]
    assert illusion_scores(declined, [ONE]) == {}
    (row,) = illusion_rows(declined, [ONE])
    assert row.shown.score is None
    (standing,) = standings(declined, resamples=50, illusions=[ONE])
    assert (standing.score, standing.illusions) == (None, None)


def test_a_single_task_has_no_interval() -> None:
    alone = illusion("alone", 1)
    (found,) = illusion_scores(on("eap", alone, [0.4]), [alone]).values()
    assert (found.score, found.interval) == (0.4, None)


def test_the_table_has_the_method_there_and_on_plain_tasks_and_the_truth() -> None:
    results = [*on("eap", ONE, [0.0, 0.2]), *on("oracle", ONE, [1.0, 1.0]), *on("other", ONE, [0.9, 0.9])]
    results += [cell("eap", task, 0.8) for task in ONE.plain]
    (row, none) = illusion_rows(results, [ONE, OTHER])
    assert [part.score for part in (row.shown, row.plain, row.oracle)] == pytest.approx([0.1, 0.8, 1.0])
    assert none.shown.score is none.plain.score is None
    json.dumps(row.listing())


def test_results_on_the_suite_stand_beside_a_board_and_not_in_it() -> None:
    core = [cell("eap", f"boolean/tree-s-{i}", 0.9) for i in range(3)]
    across = on("eap", ONE, [0.0, 0.2])
    (row,) = standings([*core, *across], resamples=50, illusions=[ONE])
    assert row.asked == 3
    assert row.score == pytest.approx(0.9)
    assert row.illusions is not None
    assert row.illusions.score == pytest.approx(0.1)
    assert row.listing()["illusions"]["score"] == row.illusions.score
    (unknown,) = standings([*core, *across], resamples=50)
    assert unknown.illusions is None


def test_a_run_on_the_suite_alone_has_boards() -> None:
    (board,) = boards(on("eap", ONE, [0.0, 0.2]))
    assert len(board.asked) == 2


def test_two_illusions_do_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="expected each name once"):
        Illusions(illusions=(ONE, ONE))


def test_a_measure_without_plain_tasks_needs_a_null() -> None:
    from peabench.illusions.measures import measured_on_null

    with pytest.raises(PeabenchError, match="needs plain tasks to compare with"):
        measured_on_null(OTHER)


@pytest.mark.parametrize("illusion", installed_illusions(), ids=lambda one: one.name)
def test_what_is_said_of_an_illusion_is_certified_on_its_tasks(illusion: Illusion) -> None:
    folders = {task.id: task.folder for task in bundled_tasks()}
    assert illusion.measure in MEASURES
    assert illusion.plain or illusion.measure in NULLS
    for task in illusion.tasks:
        checks: dict[str, Check] = {check.name: check for check in load_task(folders[task]).certificate}
        assert all(checks[name].passed for name in illusion.verified)
        assert illusion.track in load_task(folders[task]).record.tracks
    assert set(illusion.plain) <= folders.keys()


def test_a_file_of_illusions_is_read_where_a_package_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, list[str]], toy: object
) -> None:
    (tmp_path / "toy_illusions").mkdir()
    (tmp_path / "toy_illusions" / "__init__.py").write_text("")
    file = tmp_path / "toy_illusions" / "illusions.json"
    file.write_text(Illusions(illusions=(ONE,)).model_dump_json())
    monkeypatch.syspath_prepend(str(tmp_path))
    points["peabench.illusions"] = ["toy = toy_illusions"]
    assert installed_illusions() == (ONE,)
    file.write_text('{"illusions": [{"name": "no"}]}')
    with pytest.raises(PeabenchError, match=r"illusions\.json is malformed"):
        installed_illusions()
