"""A certificate passes on a shipped task and fails on every damaged copy of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.tracks import gates

from peabench.certification import certify, contradiction
from peabench.certification.certify import certify_network
from peabench.domain import ProductDomain
from peabench.tasks import load_task
from peabench_tasks.boolean.family import BOOLEAN

TASK = "tree-xs-0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / TASK
    shutil.copytree(BOOLEAN.checkpoints / TASK, copy)
    return copy


def failed(folder: Path) -> set[str]:
    return {check.name for check in certify(load_task(folder)) if not check.passed}


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "mechanism.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_shipped_task_passes_and_each_check_fails_on_its_null(folder: Path) -> None:
    checks = certify(load_task(folder))
    assert all(check.passed for check in checks)
    assert {check.name for check in checks} >= {
        "behaviour",
        "alignment",
        "joint alignment",
        "minimal basis",
        "edges alone",
        "edges with complement",
        "sufficiency",
        "necessity",
        "alternatives",
        "isolation",
        "alignment with complement",
    }
    assert all(check.null is not None and check.null.errors > 0 for check in checks)


def test_the_stored_certificate_is_what_is_measured(folder: Path) -> None:
    task = load_task(folder)
    assert list(task.certificate) == certify(task)


def test_what_the_files_say_of_the_task_must_be_borne_out(folder: Path) -> None:
    task = load_task(folder)
    checks = certify(task)
    assert contradiction(task, checks) is None
    (folder / "certificate.json").write_text("[]")
    assert "certificate.json" in str(contradiction(load_task(folder), checks))
    edit(folder, lambda document: document.update(provenance="constructed"))
    assert "constructed" in str(contradiction(load_task(folder), checks))
    edit(folder, lambda document: document.pop("circuit"))
    assert "circuits" in str(contradiction(load_task(folder), checks))


def test_an_optional_edge_without_a_meaning_is_left_to_sufficiency(folder: Path) -> None:
    edge = {"edge": "block2.unit0 <- input0", "status": "optional", "carries": []}
    listed = {e.edge for e in load_task(folder).mechanism.circuit.edges}  # type: ignore[union-attr]
    assert edge["edge"] not in listed
    edit(folder, lambda document: document["circuit"]["edges"].append(edge))
    assert not failed(folder) - {"alternatives"}


def test_flipping_a_weight_matrix_row_fails(folder: Path) -> None:
    gate = load_task(folder).mechanism.circuit.required  # type: ignore[union-attr]
    reader = next(edge.split(" <- ")[0] for edge in sorted(gate) if edge.startswith("block"))
    block, unit = reader.split(".unit")
    path = folder / "model.safetensors"
    state = load_file(path)
    weights = state[f"{block}.w_in"]
    row = weights[int(unit)].abs().sum(0).argmax()
    weights[int(unit), :, row] *= -1
    save_file(state, path)
    assert failed(folder)


def test_moving_an_edge_of_the_circuit_fails(folder: Path) -> None:
    def move(document: dict[str, Any]) -> None:
        edge = document["circuit"]["edges"][0]
        reader, node = edge["edge"].split(" <- ")
        taken = {e["edge"] for e in document["circuit"]["edges"]}
        other = next(f"{reader} <- input{i}" for i in range(8) if f"{reader} <- input{i}" not in taken)
        assert node != other
        edge["edge"] = other

    edit(folder, move)
    assert {"edges alone", "sufficiency"} & failed(folder)


def test_dropping_an_edge_of_the_circuit_fails(folder: Path) -> None:
    edit(folder, lambda document: document["circuit"]["edges"].pop(0))
    assert "sufficiency" in failed(folder)


def test_adding_an_edge_to_the_circuit_fails(folder: Path) -> None:
    def add(document: dict[str, Any]) -> None:
        edges = document["circuit"]["edges"]
        taken = {e["edge"] for e in edges}
        spare = next(f"block2.unit0 <- input{i}" for i in range(8) if f"block2.unit0 <- input{i}" not in taken)
        edges.append({"edge": spare, "status": "required", "carries": edges[0]["carries"]})

    edit(folder, add)
    assert {"necessity", "alternatives"} <= failed(folder)


def test_flipping_a_gate_of_the_causal_model_fails(folder: Path) -> None:
    def negate(document: dict[str, Any]) -> None:
        gate = document["causal_model"]["variables"][-1]
        gate["function"] = {"op": "not", "argument": gate["function"]}

    edit(folder, negate)
    assert {"behaviour", "alignment", "edges alone"} <= failed(folder)


def test_a_wrong_basis_fails(folder: Path) -> None:
    path = folder / "mechanism.safetensors"
    tensors = load_file(path)
    one, other = "direction.g1", "direction.x5"
    tensors[one], tensors[other] = tensors[other].clone(), tensors[one].clone()
    save_file(tensors, path)
    assert {"alignment", "isolation"} & failed(folder)


def test_a_subspace_that_leans_on_a_bystander_fails_with_its_complement_alone() -> None:
    """Half of g0's direction and half of an idle copy of it: right on the domain, and the null of this very check."""
    network = gates.network_with_a_bystander()
    truth = gates.mechanism()
    only = truth.model_copy(update={"alignments": truth.alignments[:1]})
    domain = ProductDomain(sizes=(2,) * gates.N_INPUTS)
    leaning = torch.zeros(gates.D_MODEL, 1)
    leaning[[6, 9]] = 0.5**0.5
    claimed = only.with_tensors({"g0": leaning})
    checks = {check.name: check for check in certify_network(network, claimed, domain, None)}
    assert checks["alignment"].errors == 0
    axes = {name: torch.eye(gates.D_MODEL)[:, [6 + i]].clone() for i, name in enumerate(("g0", "g1", "g2"))}
    checks = {check.name: check for check in certify_network(network, truth.with_tensors(axes), domain, None)}
    check = checks["alignment with complement"]
    assert check.errors == 0
    assert check.null is not None
    assert check.null.errors > 0.1 * check.null.cases / len(axes)
