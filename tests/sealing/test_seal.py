"""Sealing goes on where it was stopped, shows nothing half-made, and refuses what it would overwrite or mix."""

import shutil
from pathlib import Path

import pytest
import torch
from borrowed_family import borrowed
from tests.sealing.conftest import SECRET, Sealed, make

from peabench.certification import certify
from peabench.errors import PeabenchError
from peabench.interventions import run_with_cache
from peabench.registry import families
from peabench.sealing import Lot, draw_lots, seal
from peabench.tasks import load_task


@pytest.fixture
def lots(monkeypatch: pytest.MonkeyPatch) -> list[Lot]:
    monkeypatch.setattr("peabench.sealing.lots.families", lambda: {"borrowed": borrowed()})
    return draw_lots(SECRET, "sealed-test", ["borrowed/tree-xs"], 2)


def quietly(name: str, share: float) -> None:
    """No progress."""


class Stopped(Exception):
    pass


def stop_at(stage: str, share: float) -> object:
    def progress(name: str, done: float) -> None:
        if name == stage and done >= share:
            raise Stopped

    return progress


def test_the_published_network_computes_what_was_drawn_with_other_weights(tiny: Sealed) -> None:
    originals = [load_task(path) for path in sorted(families()["boolean"].checkpoints.glob("tree-xs-*"))]
    for task in tiny.published():
        inputs = task.record.domain.all()
        logits = run_with_cache(task.network(), inputs).logits
        drawn = [other.network() for other in originals]
        same = [other for other in drawn if torch.allclose(run_with_cache(other, inputs).logits, logits, atol=1e-4)]
        assert len(same) == 1
        assert not torch.allclose(same[0].get_parameter("w_embed"), task.network().get_parameter("w_embed"), atol=0.1)


def test_the_certificate_is_of_the_published_weights(tiny: Sealed) -> None:
    for task in tiny.revealed():
        assert [check.model_dump() for check in certify(task)] == [check.model_dump() for check in task.certificate]


def test_the_private_half_is_for_its_owner_alone(tiny: Sealed) -> None:
    assert tiny.private.stat().st_mode & 0o077 == 0
    assert not [name for name in tiny.private.iterdir() if name.name.startswith(".")]


@pytest.mark.parametrize(("stage", "share"), [("sealing", 0.0), ("sealing", 0.5), ("publishing", 0.5)])
def test_it_goes_on_where_it_was_stopped_and_publishes_nothing_before(
    tmp_path: Path, lots: list[Lot], stage: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = tmp_path / "public", tmp_path / "private"
    with pytest.raises(Stopped):
        seal(SECRET, lots, public, private, stop_at(stage, share))  # type: ignore[arg-type]
    assert not public.exists()
    kept = {lot.name: (private / lot.name / "nonce").read_text() for lot in lots if (private / lot.name).exists()}

    def refuse(*_arguments: object) -> None:
        raise AssertionError("what is drawn already is not drawn again")

    monkeypatch.setattr("borrowed_family.draw", refuse)
    suite = seal(SECRET, lots, public, private, quietly)
    assert {name: (private / name / "nonce").read_text() for name in kept} == kept
    assert set(suite.tasks) == {lot.id for lot in lots}
    assert (public / "suite.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["private", "public"]


def test_a_half_made_private_task_is_made_anew(tmp_path: Path, lots: list[Lot]) -> None:
    public, private = tmp_path / "public", tmp_path / "private"
    with pytest.raises(Stopped):
        seal(SECRET, lots, public, private, stop_at("sealing", 0.5))  # type: ignore[arg-type]
    (private / lots[1].name).mkdir()
    (private / lots[1].name / "task.json").write_text("{")
    seal(SECRET, lots, public, private, quietly)
    assert all(check.passed for check in certify(load_task(private / lots[1].name)))


def test_a_folder_that_is_taken_is_not_overwritten(tmp_path: Path, lots: list[Lot], tiny: Sealed) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(PeabenchError, match="is there already"):
        seal(SECRET, lots, taken, tmp_path / "private", quietly)
    with pytest.raises(PeabenchError, match="holds other files already"):
        seal(SECRET, lots, tmp_path / "public", taken, quietly)
    assert (taken / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "public").exists()


@pytest.mark.parametrize(("public", "private"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_halves_that_hold_each_other_are_refused(tmp_path: Path, lots: list[Lot], public: str, private: str) -> None:
    with pytest.raises(PeabenchError, match="must lie apart"):
        seal(SECRET, lots, tmp_path / public, tmp_path / private, quietly)
    assert not list(tmp_path.iterdir())


def test_another_secret_or_choice_does_not_mix_with_what_is_there(
    tmp_path: Path, lots: list[Lot], tiny: Sealed
) -> None:
    private = tmp_path / "private"
    shutil.copytree(tiny.private, private)
    with pytest.raises(PeabenchError, match="another suite, secret or choice"):
        seal(b"o" * 32, lots, tmp_path / "public", private, quietly)
    with pytest.raises(PeabenchError, match="another suite, secret or choice"):
        seal(SECRET, lots[:1], tmp_path / "public", private, quietly)


def test_the_same_secret_gives_the_same_tasks_under_other_commitments(tmp_path: Path, tiny: Sealed) -> None:
    again = make(tmp_path, ["borrowed/tree-xs"], 2)
    assert again.suite.tasks == tiny.suite.tasks
    assert not set(again.suite.commitments.values()) & set(tiny.suite.commitments.values())
    other = make(tmp_path / "other", ["borrowed/tree-xs"], 1, b"another secret of thirty-two bytes")
    assert not set(other.suite.tasks.values()) & set(tiny.suite.tasks.values())


def test_a_task_that_does_not_pass_after_its_gauge_changed_is_not_sealed(
    tmp_path: Path, lots: list[Lot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peabench.regauging.regauge_mechanism", lambda mechanism, rotation: mechanism)
    with pytest.raises(PeabenchError, match=r"does not pass its certificate once its gauge is changed \(alignment: "):
        seal(SECRET, lots, tmp_path / "public", tmp_path / "private", quietly)
    assert not (tmp_path / "public").exists()


def test_the_folder_one_stands_in_can_be_named(
    tmp_path: Path, lots: list[Lot], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    seal(SECRET, lots, Path(), Path("../private"), quietly)
    assert (here / "suite.json").exists()


def test_a_file_in_place_of_the_truth_is_refused(tmp_path: Path, lots: list[Lot]) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PeabenchError, match="is a file; name a new folder with --truth"):
        seal(SECRET, lots, tmp_path / "public", tmp_path / "file", quietly)
    assert (tmp_path / "file").read_text() == "mine"
