"""The track `circuits`: the truth earns 1, chance 0, and tricks no more than chance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tracks import gates

from peabench import tracks
from peabench.errors import InvalidAnswer
from peabench.mechanism import CircuitEdge, Mechanism
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK, CircuitAnswer, CircuitQuestion
from peabench.tracks.ranking import average_precision, chance, targets

ORACLE, STRUCTURAL_NULL = TRACK.references


@pytest.fixture(scope="module")
def question(gates_task: Task) -> CircuitQuestion:
    (asked,) = TRACK.questions(gates_task, 0)
    return asked


def required(question: CircuitQuestion) -> torch.Tensor:
    return torch.tensor([edge in gates.REQUIRED for edge in question.edges])


def graded(task: Task, question: CircuitQuestion, scores: torch.Tensor) -> dict[str, float]:
    return TRACK.grade(task, 0, question, CircuitAnswer(scores))


def test_it_is_found_by_its_name() -> None:
    assert tracks.get("circuits") is TRACK


def test_the_oracle_earns_1(gates_task: Task, question: CircuitQuestion) -> None:
    metrics = TRACK.grade(gates_task, 0, question, ORACLE.answer(question, gates_task, []))
    exact = {"score": 1, "average_precision": 1, "auroc": 1, "faithful_size": 1}
    assert metrics == {**exact, "faithful_size_mean": 1, "faithful_size_zero": 1}


def test_the_question_lists_every_edge_and_its_indices(gates_task: Task, question: CircuitQuestion) -> None:
    assert len(question.edges) == len(set(question.edges)) == 3 * 6 + 3 * 9 + 3 * 12 + 15
    for edge, (reader, node) in zip(question.edges, question.edge_indices.tolist(), strict=True):
        assert edge == f"{question.network.graph.readers[reader]} <- {question.network.graph.nodes[node]}"
    assert len(question.base) == len(question.source) == gates_task.record.examples
    assert gates_task.record.id not in repr(question)


def test_random_scores_earn_0_on_average(question: CircuitQuestion) -> None:
    candidates = targets(question.edges, [frozenset(gates.REQUIRED)], frozenset(gates.REQUIRED))
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(500, len(question.edges), generator=generator)
    found = torch.tensor([average_precision(scores, candidates[0]) for scores in draws])
    standard_error = float(found.std()) / 500**0.5
    assert abs(float(found.mean()) - chance(candidates)) < 4 * standard_error


def test_the_same_score_for_all_edges_earns_nothing(gates_task: Task, question: CircuitQuestion) -> None:
    metrics = graded(gates_task, question, torch.full((len(question.edges),), 0.5))
    assert metrics["score"] == 0
    assert metrics["auroc"] == pytest.approx(0.5)
    assert metrics["faithful_size"] == pytest.approx(len(question.edges) / len(gates.REQUIRED))


def test_the_inverted_truth_earns_less_than_nothing(gates_task: Task, question: CircuitQuestion) -> None:
    metrics = graded(gates_task, question, -required(question).float())
    assert metrics["score"] < 0
    assert metrics["auroc"] == 0


def test_one_edge_left_for_last_needs_the_whole_network(gates_task: Task, question: CircuitQuestion) -> None:
    scores = required(question).float()
    scores[question.edges.index("block1.unit0 <- block0.unit1")] = -1
    metrics = graded(gates_task, question, scores)
    assert 0.8 < metrics["score"] < 1
    assert metrics["faithful_size"] == pytest.approx(len(question.edges) / len(gates.REQUIRED))


def test_only_the_order_of_the_scores_counts(gates_task: Task, question: CircuitQuestion) -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(len(question.edges), generator=generator) + 0.5 * required(question)
    assert graded(gates_task, question, scores) == graded(gates_task, question, torch.exp(5 * scores) - 100)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (CircuitAnswer(torch.full((96,), torch.nan)), "NaN or infinity"),
        (CircuitAnswer(torch.full((96,), torch.inf)), "NaN or infinity"),
        (CircuitAnswer(torch.zeros(95)), "one real number for each of the 96 edges"),
        (CircuitAnswer(torch.zeros(96, 1)), "one real number for each of the 96 edges"),
        (CircuitAnswer(torch.zeros(96, dtype=torch.complex64)), "real numbers in 'scores', got torch.complex64"),
        (CircuitAnswer(torch.zeros(96).to(torch.float8_e5m2)), "real numbers in 'scores', got torch.float8"),
        (CircuitAnswer(torch.zeros(96, device="meta")), "got a tensor of the meta device"),
        (CircuitAnswer([0.0] * 96), "scores in a tensor, got a list"),  # type: ignore[arg-type]
        (CircuitAnswer(np.zeros(96)), "scores in a tensor, got a ndarray; use torch.as_tensor"),  # type: ignore[arg-type]
        (CircuitAnswer(torch.zeros(96).to_sparse()), "dense tensor in 'scores', got torch.sparse_coo"),
        (torch.zeros(96), "Expected a CircuitAnswer, got a Tensor"),
        (None, "Expected a CircuitAnswer, got a NoneType"),
    ],
)
def test_what_is_no_answer_is_refused(gates_task: Task, question: CircuitQuestion, answer: Any, complaint: str) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        TRACK.grade(gates_task, 0, question, answer)


def with_circuit(changes: dict[str, Any], optional: list[str]) -> Mechanism:
    mechanism = gates.mechanism()
    assert mechanism.circuit is not None
    kept = [edge for edge in mechanism.circuit.edges if edge.edge not in optional]
    edges = (*kept, *(CircuitEdge(edge=edge, status="optional") for edge in optional))
    circuit = mechanism.circuit.model_copy(update={"edges": edges, **changes})
    return mechanism.model_copy(update={"circuit": circuit})


def test_optional_edges_do_not_count(tmp_path: Path) -> None:
    optional = ["output <- input0", "output <- input5"]
    task = gates.save_gates(tmp_path, gates.network(), with_circuit({}, optional))
    (question,) = TRACK.questions(task, 0)
    scores = required(question).float()
    for value in (-5.0, 0.0, 5.0):
        scores[[question.edges.index(edge) for edge in optional]] = value
        assert graded(task, question, scores)["score"] == 1


def test_either_of_two_minimal_circuits_is_right(tmp_path: Path) -> None:
    here, there = "block1.unit0 <- block0.unit1", "block2.unit2 <- block0.unit1"
    common = [edge for edge in gates.REQUIRED if edge != here]
    circuits = ((*common, here), (*common, there))
    task = gates.save_gates(tmp_path, gates.network(), with_circuit({"minimal_circuits": circuits}, [here, there]))
    (question,) = TRACK.questions(task, 0)
    for circuit in circuits:
        scores = torch.tensor([edge in circuit for edge in question.edges]).float()
        assert graded(task, question, scores)["score"] == 1
    neither = torch.tensor([edge in common for edge in question.edges]).float()
    assert graded(task, question, neither)["score"] < 0.95
    assert ORACLE.answer(question, task, []).scores.sum() == len(gates.REQUIRED)


def test_no_gauge_changes_a_score(
    gates_task: Task, question: CircuitQuestion, rotation_and_regauged_task: tuple[torch.Tensor, Task]
) -> None:
    _, regauged = rotation_and_regauged_task
    (again,) = TRACK.questions(regauged, 0)
    assert again.edges == question.edges
    assert TRACK.grade(regauged, 0, again, ORACLE.answer(again, regauged, []))["score"] == 1
    scores = torch.rand(len(question.edges), generator=torch.Generator().manual_seed(0)) + required(question)
    assert graded(regauged, again, scores) == graded(gates_task, question, scores)


def test_a_mechanism_without_a_circuit_is_said_to_have_none(tmp_path: Path) -> None:
    task = gates.save_gates(tmp_path, gates.network(), gates.mechanism().model_copy(update={"circuit": None}))
    (question,) = TRACK.questions(task, 0)
    with pytest.raises(Exception, match="has no circuit"):
        graded(task, question, torch.zeros(len(question.edges)))
