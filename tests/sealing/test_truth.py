"""A revealed truth is held against the commitment, the published weights and the published questions."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.sealing.conftest import Sealed

from peabench.catalogue import content_hash
from peabench.errors import PeabenchError
from peabench.sealing import open_truth, verify_truth
from peabench.sealing.commitments import commitment


@pytest.fixture
def copied(tiny: Sealed, tmp_path: Path) -> Sealed:
    for half in ("public", "private"):
        shutil.copytree(getattr(tiny, half), tmp_path / half)
    return replace(tiny, public=tmp_path / "public", private=tmp_path / "private")


def test_a_truth_as_it_was_sealed_is_verified(tiny: Sealed) -> None:
    assert verify_truth(tiny.private, tiny.public) == {lot.id: None for lot in tiny.lots}


def commit_again(suite: Sealed) -> None:
    """What a maintainer who cheats from the beginning would do: commit to the changed truth, freeze what there is."""
    for half in (suite.public, suite.private):
        document = json.loads((half / "suite.json").read_text())
        for lot in suite.lots:
            document["commitments"][lot.id] = commitment(suite.private / lot.name)
            document["tasks"][lot.id] = content_hash(suite.public / lot.name)
        (half / "suite.json").write_text(json.dumps(document))


def turn_bases(folder: Path) -> None:
    tensors = load_file(folder / "mechanism.safetensors")
    save_file(
        {name: tensor.roll(1, 0).contiguous() for name, tensor in tensors.items()}, folder / "mechanism.safetensors"
    )


def other_focus(folder: Path) -> None:
    record = json.loads((folder / "task.json").read_text())
    record["examples"] -= 2
    (folder / "task.json").write_text(json.dumps(record))


def other_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1e-7 for name, tensor in tensors.items()}, folder / "model.safetensors")


def other_pairs(folder: Path) -> None:
    file = folder / "questions" / "circuits.safetensors"
    tensors = load_file(file)
    save_file({name: tensor.flip(0).contiguous() for name, tensor in tensors.items()}, file)


LIES: dict[str, tuple[str, Callable[[Path], None], bool, str]] = {
    "another mechanism": ("private", turn_bases, False, "is not what sealed-test committed to"),
    "a false mechanism, committed to": ("private", turn_bases, True, "is not true of its weights: alignment fails"),
    "another record, committed to": ("private", other_focus, True, "is not what the revealed truth asks"),
    "other weights": ("public", other_weights, False, "is not what sealed-test froze"),
    "other weights, frozen": ("public", other_weights, True, "about other weights than the published"),
    "other questions, frozen": ("public", other_pairs, True, "circuits.safetensors of .* is not what the revealed"),
    "no nonce": ("private", lambda folder: (folder / "nonce").unlink(), False, "nonce.*expected a readable file"),
    "no questions": (
        "public",
        lambda folder: (folder / "questions" / "variables.json").unlink(),
        True,
        "variables.json.*expected a readable file",
    ),
    "no task": ("private", shutil.rmtree, False, "expected a readable file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_one_sentence_about_its_task(copied: Sealed, lie: str) -> None:
    half, apply, again, message = LIES[lie]
    guilty, honest = copied.lots
    apply(getattr(copied, half) / guilty.name)
    if again:
        commit_again(copied)
    problems = verify_truth(copied.private, copied.public)
    assert problems[honest.id] is None
    problem = problems[guilty.id]
    assert problem is not None
    assert re.search(message, problem), problem
    assert "\n" not in problem


def test_the_truth_of_another_suite_is_refused(copied: Sealed) -> None:
    document = json.loads((copied.private / "suite.json").read_text())
    (copied.private / "suite.json").write_text(json.dumps(document | {"name": "sealed-other"}))
    with pytest.raises(PeabenchError, match=r"holds the truth of sealed-other, and .* is sealed-test"):
        verify_truth(copied.private, copied.public)


def test_a_suite_that_is_not_sealed_has_no_truth_to_open(copied: Sealed) -> None:
    document = json.loads((copied.private / "suite.json").read_text())
    (copied.private / "suite.json").write_text(json.dumps(document | {"commitments": {}}))
    with pytest.raises(PeabenchError, match="is not sealed"):
        open_truth(copied.private)


def test_opened_tasks_hold_their_truth_and_their_public_ids(tiny: Sealed) -> None:
    truth = open_truth(tiny.private)
    assert sorted(truth) == sorted(lot.id for lot in tiny.lots)
    for lot in tiny.lots:
        task = truth[lot.id]
        assert task.mechanism.circuit is not None
        assert all(check.passed for check in task.certificate)
        assert torch.equal(task.network().w_output, tiny.published()[lot.number].network().w_output)
        assert task.record.description.startswith(f"Drawn as {lot.origin}.")


def test_a_truth_that_was_changed_is_not_opened(copied: Sealed) -> None:
    turn_bases(copied.private / copied.lots[1].name)
    with pytest.raises(PeabenchError, match="is not what sealed-test committed to"):
        open_truth(copied.private)
