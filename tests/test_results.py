"""Stored results: a bad file is named and hides no other; hashes of answers are canonical."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.results import CellKey, CellResult, Cost, answer_hash, mean_metrics, read_all, save


def result(task: str = "f/a-0") -> CellResult:
    key = CellKey(
        track="circuits",
        track_version=1,
        scorer="s",
        scorer_version="1",
        source_hash="",
        task=task,
        content_hash="0",
        others_hash="",
        seed=0,
        device="cpu",
    )
    cost = Cost(forward_passes=1, backward_passes=0, wall_seconds=0.1, peak_memory_bytes=0)
    return CellResult(key=key, role="method", suite="core 1", status="ok", metrics={"score": 0.5}, cost=cost)


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    file = save(result(), tmp_path)
    assert file == tmp_path / "circuits" / "s" / "f--a-0.seed-0.cpu.json"
    assert read_all(tmp_path) == ([result()], [])


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("metrics", "score"), "high", "metrics.score"),
        (("metrics", "score"), float("nan"), "is malformed"),
        (("key", "seed"), None, "key.seed"),
        (("status",), "fine", "status"),
        (("cost",), None, "must have metrics.score and cost"),
        (("metrics", "score"), 1.5, "a score must be at most 1"),
        (("cost", "forward_passes"), -1, "cost.forward_passes"),
        (("cost", "wall_seconds"), 1e300, "cost.wall_seconds"),
        (("cost", "peak_memory_bytes"), 10**30, "cost.peak_memory_bytes"),
        (("reason",), "\ud800", "no text but Unicode"),
        (("surprise",), 1, "surprise"),
        (("key", "task"), "f/b-0", "belongs at circuits/s/f--b-0.seed-0.cpu.json"),
    ],
)
def test_a_bad_file_is_named_with_its_field_and_hides_no_other(
    tmp_path: Path, path: tuple[str, ...], value: object, complaint: str
) -> None:
    save(result("f/good-0"), tmp_path)
    file = save(result(), tmp_path)
    content = json.loads(file.read_text())
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    file.write_text(json.dumps(content))
    found, problems = read_all(tmp_path)
    assert [r.key.task for r in found] == ["f/good-0"]
    assert len(problems) == 1
    assert complaint in problems[0]
    assert "f--a-0.seed-0.cpu.json" in problems[0]
    assert "\n" not in problems[0]


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match="There is no folder of results"):
        read_all(tmp_path / "absent")


def test_metrics_are_means_over_the_questions_that_have_them() -> None:
    assert mean_metrics([{"score": 1.0, "extra": 3.0}, {"score": 0.0}]) == {"score": 0.5, "extra": 3.0}
    with pytest.raises(InvalidAnswer, match="extra = nan"):
        mean_metrics([{"score": 1.0, "extra": float("nan")}])
    with pytest.raises(InvalidAnswer, match="lacks the metric 'score'"):
        mean_metrics([{"extra": 1.0}])


def test_the_hash_of_an_answer_is_that_of_its_data() -> None:
    @dataclass
    class Answer:
        site: str
        basis: torch.Tensor

    basis = torch.arange(6.0).reshape(2, 3)
    first = answer_hash(Answer("resid.1", basis))
    assert answer_hash(Answer("resid.1", basis.T.clone().T)) == first
    assert answer_hash({"basis": basis.numpy().astype(">f4"), "site": "resid.1"}) == first
    others = [
        Answer("resid.2", basis),
        Answer("resid.1", basis.reshape(3, 2)),
        Answer("resid.1", basis.double()),
        Answer("resid.1", basis + 1e-6),
    ]
    assert len({first, *map(answer_hash, others)}) == 5
    assert answer_hash(["ab", "c"]) != answer_hash(["a", "bc"])
    assert answer_hash(np.float64(1.0)) != answer_hash(np.float32(1.0))
    assert answer_hash(basis.bfloat16()) == answer_hash(basis)  # small whole numbers lose nothing
    with pytest.raises(InvalidAnswer, match="holds a function"):
        answer_hash([result])
