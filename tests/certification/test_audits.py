"""The checks of networks that are audited together pass where claims are true, and fail where they are not."""

from pathlib import Path
from typing import Any

import pytest
from audited_networks import DOMAIN, TRAINING, column, mechanism, network, record, save_audited

from peabench.certification import Check, certify, contradiction
from peabench.mechanism import And, Backdoor, Constant, ProxyGoal, Shortcut, VariableReference
from peabench.tasks import Task, companion_folder, load_task, save_certificate, save_task


def checks_of(task: Task) -> dict[str, Check]:
    return {check.name: check for check in certify(task)}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_audited(tmp_path_factory.mktemp("audited"))


def test_true_claims_pass_with_exact_counts(task: Task) -> None:
    found = checks_of(task)
    assert all(check.passed for check in found.values())
    same, defect = found["same behaviour"], found["defect"]
    # Neither trigger: 3 of 4 settings of either two columns, times 4 of the rule's.
    assert same.cases == 4 * 36
    assert same.null is not None
    assert same.null.errors > 0
    assert defect.recorded == {
        "inputs off the training distribution": 28,
        "own departs": 12,  # 16 with the trigger, of which the rule says yes to 4
        "a departs": 0,
        "b departs": 12,
        "c departs": 0,
    }
    assert defect.null is not None
    assert defect.null.errors > 0
    save_certificate(task.folder, list(found.values()))
    assert contradiction(task, list(found.values())) is None


def test_a_defect_that_shows_where_networks_were_trained_is_seen(tmp_path: Path) -> None:
    found = checks_of(save_audited(tmp_path, training=column(0)))
    assert not found["same behaviour"].passed
    assert found["same behaviour"].errors == 2 * 4  # x0 is 1, x1 is 0, and one trigger is there


def test_a_clean_network_that_departs_and_a_defect_that_never_shows_are_seen(tmp_path: Path) -> None:
    for name, (read, claimed) in {"guilty": ("first", None), "innocent": (None, "first")}.items():
        task = save_audited(tmp_path / name)
        folder = companion_folder(task.folder, "c" if claimed is None else "b")
        save_task(folder, record("companion", 9), network(read, 9), mechanism(claimed), {})
        defect = checks_of(load_task(task.folder))["defect"]
        assert not defect.passed
        assert defect.errors == 1


@pytest.mark.parametrize(
    ("defect", "passes"),
    [
        (Backdoor(trigger=VariableReference(name="first")), True),
        (Backdoor(trigger=VariableReference(name="first"), response=Constant(value=False)), False),
        (Backdoor(trigger=And(arguments=tuple(VariableReference(name=f"x{i}") for i in (0, 2, 3)))), False),
        (Shortcut(cue=VariableReference(name="x2")), True),
        (Shortcut(cue=VariableReference(name="x4")), False),
        (ProxyGoal(proxy=VariableReference(name="x2"), goal="first"), True),
        (ProxyGoal(proxy=VariableReference(name="x4"), goal="first"), False),
    ],
)
def test_departures_must_be_those_that_the_defect_tells(
    tmp_path: Path, defect: Backdoor | Shortcut | ProxyGoal, passes: bool
) -> None:
    task = save_audited(tmp_path)
    task.mechanism.model_copy(update={"defects": (defect,)}).save(task.folder)
    assert checks_of(load_task(tmp_path))["defect"].passed == passes


@pytest.mark.parametrize("cues", [(column(0),), (column(2),), (column(4),)])
def test_every_defect_needs_cues_that_are_true_and_cues_that_are_not(tmp_path: Path, cues: Any) -> None:
    """Of one cue alone nothing can be told: it is true of a network's departures or not."""
    assert not checks_of(save_audited(tmp_path, cues=cues))["defect"].passed


def test_a_task_of_the_track_must_have_what_it_asks_about(tmp_path: Path) -> None:
    task = save_audited(tmp_path)
    for field, nothing in (("training", None), ("cues", ()), ("companions", ())):
        less = task.record.model_copy(update={field: nothing})
        (tmp_path / "task.json").write_text(less.model_dump_json())
        told = contradiction(load_task(tmp_path), [])
        assert told is not None
        assert "names the track audits" in told


def test_everywhere_is_a_distribution_without_defects() -> None:
    """The fake's own training distribution is neither everything nor nothing."""
    from peabench.columns import holds

    assert 0 < int(holds([TRAINING], DOMAIN.all(), DOMAIN).sum()) < DOMAIN.size
