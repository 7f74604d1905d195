"""Questions as files: what is read is what was written, and nothing else is taken for a question."""

import json
import shutil
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from peabench import tracks
from peabench.catalogue import installed_tasks, select
from peabench.errors import PeabenchError
from peabench.networks import Network
from peabench.question_files import encode_questions, read_questions, write_questions
from peabench.questions import made_questions
from peabench.tasks import Task, load_task

TRACKS = ("circuits", "variables")


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(select(installed_tasks(), ["boolean/tree-xs-0"])[0].folder)


def made(task: Task, track: str) -> dict[str, Any]:
    return made_questions(tracks.get(track), task, "boolean/other-xs-0", 7)


@pytest.fixture
def folder(task: Task, tmp_path: Path) -> Path:
    """A task folder without truth."""
    place = tmp_path / "task"
    place.mkdir()
    for name in ("task.json", "model.safetensors"):
        shutil.copy(task.folder / name, place / name)
    for track in TRACKS:
        write_questions(place, tracks.get(track), 0, made(task, track))
    return place


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Generator):
        return isinstance(other, torch.Generator)
    if isinstance(one, Network):
        states = one.state_dict(), other.state_dict()
        return all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, part.name), getattr(other, part.name)) for part in fields(one)
        )
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("track", TRACKS)
def test_what_is_read_is_what_was_written(task: Task, folder: Path, track: str) -> None:
    written, read = made(task, track), read_questions(load_task(folder), tracks.get(track), 0)
    assert list(read) == list(written)
    assert all(same(written[name], read[name]) for name in written)
    assert not same(written["0"], made(task, "circuits" if track == "variables" else "variables")["0"])


@pytest.mark.parametrize("track", TRACKS)
def test_the_same_questions_give_the_same_bytes(task: Task, track: str) -> None:
    one, again = (encode_questions(tracks.get(track), 0, made(task, track)) for _ in range(2))
    assert one == again


def test_a_tensor_that_two_questions_share_is_stored_once(folder: Path) -> None:
    names = set(load_file(folder / "questions" / "variables.safetensors"))
    assert not any(name.startswith("0.twin") for name in names)
    assert "0.training.base" in names


def change(name: str) -> Callable[[Callable[[Any], Any]], Callable[[Path], None]]:
    """Change a JSON file in place."""

    def with_edit(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            file = folder / "questions" / name
            document = json.loads(file.read_bytes())
            edit(document)
            file.write_text(json.dumps(document))

        return apply

    return with_edit


def tensors(edit: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = folder / "questions" / "variables.safetensors"
        found = load_file(file)
        edit(found)
        save_file(found, file)

    return apply


json_of = change("variables.json")


def first(document: Any) -> Any:
    return document["questions"]["0"]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda folder: (folder / "questions/variables.json").unlink(), "expected a readable file"),
    "no JSON": (lambda folder: (folder / "questions/variables.json").write_text("{"), "Invalid JSON"),
    "another schema": (json_of(lambda d: d.update(schema_version=2)), "schema_version"),
    "another version": (json_of(lambda d: d.update(track_version=99)), "version 99 of the track variables"),
    "another track": (json_of(lambda d: d.update(track="circuits")), "expected 'variables'"),
    "another seed": (json_of(lambda d: d.update(seed=3)), "--seed 3"),
    "an extra key": (json_of(lambda d: d.update(truth="resid.1@0")), "truth"),
    "a name": (json_of(lambda d: d["questions"].update({"../0": first(d)})), "questions"),
    "a gap": (json_of(lambda d: d["questions"].update({"5": first(d)})), "'0', '1'"),
    "only a twin": (json_of(lambda d: d["questions"].pop("0")), "'0', '1'"),
    "an extra field": (json_of(lambda d: first(d).update(basis=[1])), "expected the fields"),
    "a missing field": (json_of(lambda d: first(d).pop("sites")), "expected the fields"),
    "a field's type": (json_of(lambda d: first(d).update(dimension="1")), "dimension"),
    "code": (json_of(lambda d: first(d).update(network="os.system")), "expected 'model'"),
    "a model": (json_of(lambda d: first(d)["causal_model"].update(output="nobody")), "causal_model"),
    "a tensor's name": (json_of(lambda d: first(d)["training"].update(base={"tensor": "x"})), "a name of the file"),
    "no safetensors": (
        lambda folder: (folder / "questions/variables.safetensors").write_bytes(b"PK\x03\x04" * 9),
        "expected a safetensors file",
    ),
    "a spare tensor": (tensors(lambda t: t.update(spare=torch.zeros(3))), "'spare'"),
    "a tensor's type": (tensors(lambda t: t.update({"0.training.base": t["0.training.base"].double()})), "float64"),
    "rows that differ": (tensors(lambda t: t.update({"0.training.base": t["0.training.base"][1:].clone()})), "pair"),
    "axes": (tensors(lambda t: t.update({"0.training.base": t["0.training.base"].flatten()})), "0.training.base"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence_that_names_the_place(folder: Path, damage: str) -> None:
    apply, message = DAMAGE[damage]
    apply(folder)
    with pytest.raises(PeabenchError) as caught:
        read_questions(load_task(folder), tracks.get("variables"), 0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_boolean_of_other_bytes_is_refused(folder: Path) -> None:
    file = folder / "questions" / "variables.safetensors"
    data = bytearray(file.read_bytes())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["0.training.base_value"]["dtype"] == "BOOL"
    data[8 + int.from_bytes(data[:8], "little") + header["0.training.base_value"]["data_offsets"][0]] = 7
    file.write_bytes(bytes(data))
    with pytest.raises(PeabenchError, match="expected booleans"):
        read_questions(load_task(folder), tracks.get("variables"), 0)


def test_questions_of_another_seed_are_not_passed_off(folder: Path) -> None:
    with pytest.raises(PeabenchError, match="published for seed 0, not for 1; run with --seed 0"):
        read_questions(load_task(folder), tracks.get("circuits"), 1)
