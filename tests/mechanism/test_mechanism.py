"""Mechanism files: they come back as they were, and every kind of bad file is one clear line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tests.mechanism import laboratory

from peabench.errors import PeabenchError
from peabench.mechanism import Boolean, Mechanism, MechanismError, Variable

torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = tmp_path / "task"
    laboratory.mechanism().save(task)
    return task


def refused(folder: Path, file: str, field: str, message: str = "") -> None:
    """That loading `folder` fails with one line about `field` of `file`, and changes nothing."""
    with laboratory.untouched(folder), pytest.raises(MechanismError) as caught:
        Mechanism.load(folder)
    line = str(caught.value)
    assert isinstance(caught.value, PeabenchError)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{folder / file}: field {field}: expected "), line
    assert ", got " in line
    assert "; " in line
    assert message in line


def test_a_mechanism_comes_back_from_its_folder_as_it_was(folder: Path) -> None:
    original, loaded = laboratory.mechanism(), Mechanism.load(folder)
    assert loaded.model_dump() == original.model_dump()
    references = dict(original.places())
    assert list(references) == [
        "alignments.0.location.basis",
        "alignments.0.alternatives.0.basis",
        "features.0.direction",
        "features.1.direction",
    ]
    for reference in references.values():
        assert torch.equal(loaded.tensor(reference), original.tensor(reference))
    assert sorted(path.name for path in folder.iterdir()) == ["mechanism.json", "mechanism.safetensors"]


def test_saving_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    Mechanism.load(folder).save(tmp_path / "again")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_mechanism_without_tensors_needs_no_tensors_file(tmp_path: Path) -> None:
    bare = Mechanism(provenance="derived", causal_model=laboratory.causal_model())
    bare.save(tmp_path)
    (tmp_path / "mechanism.safetensors").unlink()
    assert Mechanism.load(tmp_path) == bare


def test_saving_without_the_tensors_writes_nothing(folder: Path) -> None:
    with laboratory.untouched(folder), pytest.raises(MechanismError, match=r"expected a tensor 'g\.basis', got none"):
        laboratory.bare_mechanism().save(folder)


def test_a_failure_while_saving_leaves_the_old_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("disk full")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        laboratory.mechanism().save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def edit(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


A, G = {"op": "variable", "name": "a"}, {"op": "variable", "name": "g"}
DEEP: dict[str, Any] = A
for _ in range(64):
    DEEP = {"op": "not", "argument": DEEP}
FUNCTION = ("causal_model", "variables", 3, "function")
IN_FUNCTION = ".".join(map(str, FUNCTION))


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (edit("schema_version", to=2), "schema_version", "expected 1, got 2"),
        (edit("schema_version", to="1"), "schema_version", "expected 1, got '1'"),
        (edit("schema_version", to=True), "schema_version", "expected 1, got True"),
        (drop("schema_version"), "schema_version", "expected 1, got none"),
        (edit("surprise", to=1), "surprise", "expected no such field, got 1"),
        (edit("causal_model", "variables", 0, "oops", to="x\ny"), "causal_model.variables.0.oops", "no such field"),
        (edit("provenance", to="guessed"), "provenance", "'constructed', 'planted' or 'derived', got 'guessed'"),
        (drop("provenance"), "provenance", "expected a value, got none"),
        (drop("causal_model", "output"), "causal_model.output", "expected a value, got none"),
        (edit("causal_model", "output", to="z"), "causal_model.output", "got 'z'"),
        (
            edit("causal_model", "variables", 0, "columns", to=["0"]),
            "causal_model.variables.0.columns.0",
            "expected a valid integer, got '0'",
        ),
        (edit("causal_model", "variables", 3, "parents", to=["a", "c"]), "causal_model.variables.3.parents", "(a, b)"),
        (
            edit(
                "causal_model",
                "variables",
                0,
                to={
                    "name": "a",
                    "kind": {"kind": "boolean"},
                    "parents": ["y"],
                    "function": {"op": "variable", "name": "y"},
                },
            ),
            "causal_model.variables.0.parents",
            "expected no cycle among parents",
        ),
        (edit("causal_model", "variables", 0, "name", to="d"), "causal_model.variables.3.parents", "the unknown 'a'"),
        (edit(*FUNCTION, "op", to="eval"), IN_FUNCTION, "got 'eval'"),
        (
            edit(*FUNCTION, "arguments", 1, "value", to=1),
            f"{IN_FUNCTION}.arguments.1.value",
            "no such",
        ),
        (edit(*FUNCTION, "arguments", to=[A]), f"{IN_FUNCTION}.arguments", "at least 2 items"),
        (edit(*FUNCTION, to=DEEP), IN_FUNCTION, "at most 64 levels deep, got 65"),
        (edit("alignments", 0, "variable", to="z"), "alignments.0.variable", "got 'z'"),
        (edit("alignments", 1, "variable", to="g"), "alignments.1.variable", "got a second of 'g'"),
        (edit("alignments", 0, "location", "site", to="resid.x"), "alignments.0.location.site", "a site such as"),
        (edit("alignments", 0, "location", "neurons", to=[1]), "alignments.0.location.basis", "got both or neither"),
        (drop("alignments", 0, "location", "basis"), "alignments.0.location.basis", "got both or neither"),
        (edit("alignments", 1, "location", "neurons", to=[1, 1]), "alignments.1.location.neurons", "one twice"),
        (edit("alignments", 0, "location", "basis", "shape", to=[1, 8]), "alignments.0.location.basis.shape", "k <= d"),
        (edit("alignments", 0, "location", "basis", "name", to="../x"), "alignments.0.location.basis.name", "'../x'"),
        (edit("circuit", "edges", 0, "edge", to="a <- b"), "circuit.edges.0.edge", "a reader such as"),
        (edit("circuit", "edges", 0, "carries", to=[]), "circuit.edges.0.carries", "a required edge carries"),
        (edit("circuit", "edges", 0, "carries", to=[["a", "y"]]), "circuit.edges.0.carries.0", "got ['a', 'y']"),
        (edit("circuit", "edges", 0, "status", to="absent"), "circuit.edges.0.status", "'required' or 'optional'"),
        (edit("features", 0, "activation", to={"op": "variable", "name": "z"}), "features.0.activation", "got 'z'"),
        (edit("features", 0, "parents", to=["both"]), "features.0.parents", "expected no cycle"),
        (edit("features", 0, "direction", "shape", to=[8, 1]), "features.0.direction.shape", "of shape [d_model]"),
        (edit("algorithm", "hypotheses", 0, "holds", to=False), "algorithm.hypotheses", "that holds, got none"),
        (
            edit("algorithm", "hypotheses", 1, "kind", to="other"),
            "algorithm.hypotheses.1.frequencies",
            "got kind 'other'",
        ),
        (
            edit("algorithm", "hypotheses", 0, "formula", to={"op": "negate", "argument": G}),
            "algorithm.hypotheses.0.formula",
            "expected numbers",
        ),
        (edit("defects", 2, "trigger", to={"op": "constant", "value": 1}), "defects.2.trigger", "expected a boolean"),
        (
            edit("defects", 3, "goal", to="nothing"),
            "defects.3.goal",
            "expected a variable with the values of the proxy",
        ),
        (edit("defects", 0, "kind", to="gremlin"), "defects.0", "got 'gremlin'"),
        (edit("gauge", "symmetries", to=["mirror"]), "gauge.symmetries.0", "got 'mirror'"),
    ],
)
def test_a_bad_document_is_one_line(
    folder: Path, change: Callable[[dict[str, Any]], None], field: str, message: str
) -> None:
    path = folder / "mechanism.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    refused(folder, "mechanism.json", field, message)


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        (b"", "(file)", "expected valid JSON"),
        (b"{", "(file)", "expected valid JSON"),
        (b"\xff\xfe", "(file)", "expected valid JSON"),
        (b'{"schema_version": 1, "provenance": NaN}', "(file)", "expected valid JSON"),
        (b"[" * 100_000, "(file)", "recursion limit"),
        (b'{"a":' * 100_000, "(file)", "recursion limit"),
        (b"[]", "(file)", "got []"),
        (b'{"schema_version": %d}' % 10**4000, "schema_version", "expected 1"),
    ],
)
def test_a_document_that_is_no_mechanism_at_all_is_one_line(
    folder: Path, content: bytes, field: str, message: str
) -> None:
    (folder / "mechanism.json").write_bytes(content)
    refused(folder, "mechanism.json", field, message)


def test_an_enormous_integer_is_one_line(folder: Path) -> None:
    path = folder / "mechanism.json"
    text = path.read_text().replace('"op":"variable"', f'"op": "constant", "value": {"9" * 4000}', 1)
    path.write_text(text)
    with pytest.raises(MechanismError) as caught:
        Mechanism.load(folder)
    assert len(str(caught.value)) < 1000


def test_a_document_larger_than_the_limit_is_not_read(folder: Path) -> None:
    with (folder / "mechanism.json").open("r+b") as file:
        file.truncate(16 * 2**20 + 1)
    refused(folder, "mechanism.json", "(file)", "expected at most 16777216 bytes, got 16777217")


def test_a_missing_folder_or_document_is_one_line(folder: Path) -> None:
    (folder / "mechanism.json").unlink()
    refused(folder, "mechanism.json", "(file)", "No such file")
    refused(folder / "nowhere", "mechanism.json", "(file)", "No such file")


def test_a_folder_or_a_link_out_of_the_folder_is_no_document(folder: Path, tmp_path: Path) -> None:
    path = folder / "mechanism.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    refused(folder, "mechanism.json", "(file)", "expected a file inside its folder, got a link to")
    path.unlink()
    path.symlink_to("mechanism.json")
    refused(folder, "mechanism.json", "(file)")
    path.unlink()
    path.mkdir()
    refused(folder, "mechanism.json", "(file)", "expected a plain file")


def test_saving_replaces_a_link_and_leaves_what_it_points_to(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("precious")
    (folder / "mechanism.json").unlink()
    (folder / "mechanism.json").symlink_to(outside)
    laboratory.mechanism().save(folder)
    assert outside.read_text() == "precious"
    assert Mechanism.load(folder).model_dump() == laboratory.mechanism().model_dump()


def test_tensors_that_do_not_fit_are_refused_when_attached() -> None:
    bare, good = laboratory.bare_mechanism(), laboratory.tensors()
    with pytest.raises(MechanismError, match=r"alignments\.0\.location\.basis: expected orthonormal columns"):
        bare.with_tensors(good | {"g.basis": good["g.basis"] * 1.001})
    with pytest.raises(MechanismError, match=r"features\.0\.direction: expected a direction other than zero"):
        bare.with_tensors(good | {"feature.g": torch.zeros(laboratory.WIDTH)})
    with pytest.raises(MechanismError, match="expected only tensors that the mechanism refers to, got 'spare'"):
        bare.with_tensors(good | {"spare": torch.zeros(1)})
    with pytest.raises(MechanismError, match="use load or with_tensors"):
        bare.tensor(next(iter(dict(bare.places()).values())))


def test_alignments_are_found_by_variable() -> None:
    mechanism = laboratory.mechanism()
    assert mechanism.alignment("g").location.dimension == 1
    assert mechanism.alignment("y").location.dimension == 2
    assert len(mechanism.alignment("g").locations) == 2
    with pytest.raises(MechanismError, match="expected an aligned variable, got 'a'"):
        mechanism.alignment("a")


def test_mechanisms_are_frozen() -> None:
    variable = Variable(name="a", kind=Boolean(), columns=(0,))
    with pytest.raises(ValidationError):
        variable.name = "b"  # type: ignore[misc]
