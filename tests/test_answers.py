"""Answers on disk: what was graded comes back bit by bit, and a damaged file is one sentence."""

import json
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from safetensors.torch import load_file, save_file

from peabench import results, storage
from peabench.answers import METADATA, WHOLE, AnswerFile, encode, read_answers
from peabench.discovery import find_scorers
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.plain import Answer, plain
from peabench.results import CellResult, answer_hash, finished, save
from peabench.runner import plan, run
from peabench.suites import get_suite


@dataclass(frozen=True)
class Place:
    site: str
    basis: torch.Tensor | None


class Guess(BaseModel):
    scale: float
    count: int


def through_a_file(folder: Path, answers: list[Any]) -> Any:
    file = folder / "answers.safetensors"
    file.write_bytes(encode({WHOLE: {str(i): plain(answer) for i, answer in enumerate(answers)}}))
    return list(AnswerFile.read(file).answers(WHOLE).values())


def test_an_answer_comes_back_with_its_fields_types_and_hash(tmp_path: Path) -> None:
    answers = [Place("resid.1@0", torch.arange(6.0).reshape(2, 3).T), Place("resid.2@0", None)]
    back = through_a_file(tmp_path, answers)
    assert [set(answer) for answer in back] == [{"site", "basis"}] * 2
    assert back[0]["site"] == "resid.1@0"
    assert torch.equal(back[0]["basis"], answers[0].basis)  # type: ignore[arg-type]
    assert back[1] == {"site": "resid.2@0", "basis": None}
    assert answer_hash(back) == answer_hash(answers)
    assert through_a_file(tmp_path, [Guess(scale=0.1, count=2**62)]) == [{"scale": 0.1, "count": 2**62}]
    assert through_a_file(tmp_path, [np.float32(0.1)])[0]["answer"] == np.float32(0.1)
    assert "0.basis" in load_file(_written(tmp_path, answers))


def _written(folder: Path, answers: list[Any]) -> Path:
    through_a_file(folder, answers)
    return folder / "answers.safetensors"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.builds(
        lambda shape, dtype: (torch.rand(shape) * 4).to(dtype),
        st.lists(st.integers(0, 3), max_size=3),
        st.sampled_from([torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool]),
    ),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), VALUES, max_size=4), max_size=3))
def test_any_plain_answers_come_back_with_their_hash(answers: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        back = through_a_file(Path(folder), answers)
    assert answer_hash(back) == answer_hash(answers)
    assert [set(answer) for answer in back] == [set(answer) for answer in answers]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"scores": torch.tensor([0.5, torch.nan])}, "NaN or infinity"),
        ({"scores": torch.eye(2).to_sparse()}, "dense tensor"),
        ({"scores": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, "dense tensor"),
        ({"scores": torch.ones(2, dtype=torch.complex64)}, "real numbers"),
        ({"scores": torch.ones(2).to(torch.float8_e4m3fn)}, "real numbers"),
        ({"scores": torch.ones(2, device="meta")}, "meta device"),
        ({"scores": torch.ones([1] * 9)}, "at most 8 dimensions"),
        ({"scores": np.array(["a"])}, "real numbers"),
        ({"scores": np.array([{}], dtype=object)}, "real numbers"),
        ({"scale": float("inf")}, "finite number"),
        ({"count": 2**63}, "64-bit integer"),
        ({"site": "x" * 70_000}, "Unicode letters"),
        ({"site": "\udcff"}, "Unicode letters"),
        ({"run": print}, "got a builtin_function_or_method"),
        ({"nested": [1, 2]}, "got a list"),
        ({"a/b": 1}, "field name"),
        ({3: 1}, "field name"),
        ({f"f{i}": i for i in range(65)}, "at most 64 fields"),
    ],
)
def test_what_is_no_plain_data_is_refused(answer: Any, complaint: str) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        plain(answer)


def test_answers_that_are_too_large_are_refused() -> None:
    whole: Answer = {"scores": torch.zeros(1).expand(2**24 + 1)}
    with pytest.raises(InvalidAnswer, match="at most"):
        encode({WHOLE: {"0": whole}})
    with pytest.raises(InvalidAnswer, match="at most"):
        encode({WHOLE: {str(i): {"a": 1} for i in range(5000)}})
    with pytest.raises(InvalidAnswer, match="answer shorter ones"):
        encode({WHOLE: {str(i): {"a": "x" * 65_000} for i in range(300)}})


def metadata(cells: Any, **more: Any) -> dict[str, str]:
    return {METADATA: json.dumps({"schema_version": 2, "cells": cells} | more)}


@pytest.mark.parametrize(
    ("tensors", "said", "complaint"),
    [
        ({"0.scores": torch.ones(2)}, None, "expected metadata"),
        ({"0.scores": torch.ones(2)}, {METADATA: "{"}, "the metadata"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {}}}) | {"other": "x"}, "expected metadata"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {}}}, schema_version=1), "schema_version"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {}}}, more=1), "more"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {"x": [1]}}}), "cells"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {"x": "y" * 70_000}}}), "cells"),
        ({"0.scores": torch.ones(2)}, {METADATA: '{"cells": {"": {"0": {"x": NaN}}}}'}, "cells"),
        ({"1.scores": torch.ones(2)}, metadata({"": {"0": {}}}), "'1.scores'"),
        ({}, metadata({"": {"0.twins": {}}}), "0.twins"),
        ({}, metadata({"": {"01": {}}}), "cells..01"),
        ({"0.twin.scores": torch.ones(2)}, metadata({"": {"0": {}}}), "'0.twin.scores'"),
        ({"-1.scores": torch.ones(2)}, metadata({"": {"0": {}}}), "'-1.scores'"),
        ({"scores": torch.ones(2)}, metadata({"": {"0": {}}}), "'scores'"),
        ({"0.scores": torch.ones(2)}, metadata({"": {"0": {"scores": 1}}}), "'0.scores'"),
        ({"a/0.scores": torch.ones(2)}, metadata({"": {"0": {}}}), "'a/0.scores'"),
        ({"0.scores": torch.tensor([torch.inf])}, metadata({"": {"0": {}}}), "NaN or infinity"),
        ({"0.scores": torch.ones(2, dtype=torch.bfloat16)}, metadata({"": {"0": {}}}), "real numbers"),
        ({"0.scores": torch.ones([1] * 9)}, metadata({"": {"0": {}}}), "real numbers"),
        ({}, metadata({"b": {"0": {}}}), "got none"),
    ],
)
def test_a_damaged_file_is_one_sentence_that_names_it(
    tmp_path: Path, tensors: dict[str, torch.Tensor], said: dict[str, str] | None, complaint: str
) -> None:
    file = tmp_path / "answers.safetensors"
    save_file(tensors, file, said)
    with pytest.raises(PeabenchError) as caught:
        AnswerFile.read(file).answers(WHOLE)
    assert complaint in str(caught.value)
    assert "answers.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_or_is_cut_short_or_holds_other_booleans_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.safetensors"
    whole = encode({WHOLE: {"0": {"scores": torch.arange(100.0)}}})
    for content in (b"", whole[:-1], whole[:50], b"\x80\x04K\x01.", b"\xff" * 20):
        file.write_bytes(content)
        with pytest.raises(PeabenchError, match=r"malformed: expected (a safetensors file|at most)"):
            AnswerFile.read(file)
    with pytest.raises(PeabenchError, match="are missing"):
        AnswerFile.read(tmp_path / "absent.safetensors")
    yes = encode({WHOLE: {"0": {"kept": torch.tensor([True])}}})
    start = 8 + struct.unpack("<Q", yes[:8])[0]
    file.write_bytes(yes[:start] + b"\x02")
    with pytest.raises(PeabenchError, match="expected booleans"):
        AnswerFile.read(file).answers(WHOLE)


def ran(out: Path) -> dict[tuple[str, str], CellResult]:
    cells = plan(find_scorers(["noise", "oracle"])[0], get_suite("all"))
    return {(result.key.scorer, result.key.task): result for result in run(cells, out, jobs=0)}


def test_a_run_leaves_the_answers_that_its_scores_were_graded_from(toy: ModuleType, tmp_path: Path) -> None:
    found = ran(tmp_path)
    for result in found.values():
        answers = read_answers(tmp_path, result.key)
        assert answers is not None
        assert answer_hash(answers) == result.answer_hash
        task = toy.load_task(toy.FAMILY.checkpoints / result.key.task.partition("/")[2])
        truth = torch.tensor(task.record["truth"])
        if result.key.scorer == "oracle":
            (first, second) = (answer["answer"] - truth for answer in answers.values())  # type: ignore[operator]
            assert first.std() < 1e-6
            assert second.std() < 1e-6
    key = found["noise", "toy/a-0"].key
    assert read_answers(tmp_path, key.model_copy(update={"seed": 7})) is None
    assert read_answers(tmp_path, key.model_copy(update={"scorer_version": "7"})) is None


def test_a_result_without_its_own_answers_is_a_problem_and_is_run_again(toy: ModuleType, tmp_path: Path) -> None:
    found = ran(tmp_path)
    key, other = found["noise", "toy/a-0"].key, found["noise", "toy/a-1"].key
    content = (tmp_path / key.answers_file).read_bytes()
    (tmp_path / key.answers_file).write_bytes((tmp_path / other.answers_file).read_bytes())
    with pytest.raises(PeabenchError, match="not those that its result was graded from"):
        read_answers(tmp_path, key)
    assert finished(key, tmp_path) is None
    (tmp_path / key.answers_file).unlink()
    with pytest.raises(PeabenchError, match="are missing"):
        read_answers(tmp_path, key)
    assert finished(key, tmp_path) is None
    assert finished(other, tmp_path) == found["noise", "toy/a-1"]
    ran(tmp_path)
    assert (tmp_path / key.answers_file).read_bytes() == content


def test_a_failure_in_an_answers_place_takes_it_away(toy: ModuleType, tmp_path: Path) -> None:
    result = ran(tmp_path)["noise", "toy/a-0"]
    failed = CellResult(key=result.key, role="method", suite="all 0", status="failed", reason="broken")
    save(failed, tmp_path)
    assert not (tmp_path / result.key.answers_file).exists()
    assert read_answers(tmp_path, result.key) is None
    assert list(tmp_path.rglob("*.part")) == []


def test_a_kill_between_the_answers_and_the_result_leaves_a_problem_and_no_wrong_answers(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = ran(tmp_path)["noise", "toy/a-0"]
    newer: dict[str, Answer] = {name: {"answer": torch.zeros(3)} for name in ("0", "1")}
    update = {"answer_hash": answer_hash(newer), "metrics": {"score": 0.1}}
    write = storage.write_whole

    def killed(file: Path, content: bytes) -> None:
        if file.suffix == ".json":
            raise KeyboardInterrupt
        write(file, content)

    monkeypatch.setattr(results, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        save(result.model_copy(update=update), tmp_path, encode({WHOLE: newer}))
    assert results.read(tmp_path / result.key.file) == result
    with pytest.raises(PeabenchError, match="not those that its result was graded from"):
        read_answers(tmp_path, result.key)
    assert finished(result.key, tmp_path) is None
    (tmp_path / result.key.file).unlink()  # and where there was no result before, there is none now
    assert read_answers(tmp_path, result.key) is None
