"""Task folders: what is damaged or speaks of another network is named by file and field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.tracks import gates

from peabench.errors import PeabenchError
from peabench.tasks import Task, load_task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return gates.save_gates(tmp_path / "gates-xs-0", gates.network(), gates.mechanism())


def changed(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"domain_size": 63}, "domain_size: expected 64 after domain, got 63"),
        ({"family": "foot"}, "id: expected 'foot/gates-xs-0' after family, variant, size and seed"),
        ({"tracks": ["circuits", "circuits"]}, "tracks: expected each name once"),
        ({"examples": 10**12}, "examples: Input should be less than or equal to 1048576"),
        ({"domain": {"sizes": [2] * 5}, "domain_size": 32}, "domain.sizes: expected 6 columns of at most 2 values"),
        ({"domain": {"sizes": [3] * 6}, "domain_size": 729}, "domain.sizes: expected 6 columns of at most 2 values"),
        ({"domain": {"sizes": [65536] * 64}}, r"sizes: expected at most 64 columns and 2\^62 inputs"),
        ({"schema_version": 2}, "schema_version: expected 1, got 2; update peabench or the task"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(task: Task, changes: dict[str, object], complaint: str) -> None:
    changed(task.folder / "task.json", lambda record: record.update(changes))
    with pytest.raises(PeabenchError, match=complaint) as caught:
        load_task(task.folder)
    assert "task.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_focus_on_no_variable_is_refused(task: Task) -> None:
    changed(task.folder / "task.json", lambda record: record.update(focus=["g9"]))
    with pytest.raises(PeabenchError, match="focus: expected variables of the causal model, got 'g9'"):
        _ = load_task(task.folder).mechanism


@pytest.mark.parametrize("file", ["task.json", "certificate.json"])
def test_a_file_that_is_nested_too_deeply_is_one_sentence(task: Task, file: str) -> None:
    (task.folder / file).write_text("[" * 100_000)
    with pytest.raises(PeabenchError, match=f"{file} is malformed: it is nested too deeply"):
        _ = load_task(task.folder).certificate


def _move_site(truth: Any) -> None:
    truth["alignments"][2]["alternatives"][0]["site"] = "resid.99@0"


def _move_position(truth: Any) -> None:
    truth["alignments"][0]["location"]["site"] = "resid.1@4"


def _add_edge(truth: Any) -> None:
    edge = {"edge": "block9.unit0 <- input0", "status": "optional", "carries": []}
    truth["circuit"]["edges"].append(edge)


def _read_column(truth: Any) -> None:
    truth["causal_model"]["variables"][1]["columns"] = [99]


def _name_neurons(truth: Any) -> None:
    location = {"site": "block0.unit1.hidden@0", "neurons": [4]}
    truth["alignments"][0]["alternatives"].append(location)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            _move_site,
            r"alignments\.2\.alternatives\.0\.site: expected a site of a network of 3 blocks, got 'resid.99@0'",
        ),
        (_move_position, r"alignments\.0\.location\.site: expected a position below 1, got 'resid.1@4'"),
        (_add_edge, r"circuit\.edges\.7\.edge: expected an edge of the network, got 'block9.unit0 <- input0'"),
        (_read_column, r"causal_model\.variables\.1\.columns: expected columns below the network's n_inputs 6, got 99"),
        (_name_neurons, r"alignments\.0\.alternatives\.0\.neurons: expected neurons below 4"),
    ],
)
def test_a_mechanism_of_another_network_is_refused(task: Task, change: Callable[[Any], None], complaint: str) -> None:
    changed(task.folder / "mechanism.json", change)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        _ = load_task(task.folder).mechanism
    assert "mechanism.json" in str(caught.value)


def test_a_basis_of_another_width_is_refused(task: Task) -> None:
    def widen(truth: Any) -> None:
        truth["alignments"][0]["location"]["basis"]["shape"] = [13, 1]

    changed(task.folder / "mechanism.json", widen)
    tensors = load_file(task.folder / "mechanism.safetensors")
    tensors["g0"] = torch.eye(13)[:, :1].contiguous()
    save_file(tensors, task.folder / "mechanism.safetensors")
    with pytest.raises(
        PeabenchError, match=r"location\.basis\.shape: expected a basis of 12 rows at resid\.1@0, got 13"
    ):
        _ = load_task(task.folder).mechanism


def test_weights_outside_the_folder_are_refused(task: Task, tmp_path: Path) -> None:
    weights = task.folder / "model.safetensors"
    weights.rename(tmp_path / "elsewhere.safetensors")
    weights.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(PeabenchError, match="expected a file inside its folder, got a link to"):
        task.network()
