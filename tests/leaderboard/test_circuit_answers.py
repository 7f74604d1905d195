"""Answers of the circuits track over the truth."""

import torch

from peabench.mechanism import Circuit
from peabench_leaderboard.site.circuit_answers import circuit_overlay, circuit_targets

EDGES = tuple(f"output <- input{i}" for i in range(6))


def circuit(required: list[int], optional: list[int] = (), minimal: list[list[int]] = ()) -> Circuit:  # type: ignore[assignment]
    edges = [{"edge": EDGES[i], "status": "required", "carries": [["a", "b"]]} for i in required]
    edges += [{"edge": EDGES[i], "status": "optional"} for i in optional]
    return Circuit.model_validate({"edges": edges, "minimal_circuits": [[EDGES[i] for i in one] for one in minimal]})


def numbers(edges: tuple[str, ...]) -> list[int]:
    return [EDGES.index(edge) for edge in edges]


def overlay(truth: Circuit, scores: list[float]) -> tuple[list[int], list[int], list[int]]:
    found = circuit_overlay("key", "label", EDGES, circuit_targets(EDGES, truth), torch.tensor(scores), None)
    return numbers(found.found), numbers(found.missed), numbers(found.false)


def test_the_truth_is_found_whole() -> None:
    assert overlay(circuit([1, 4]), [0, 1, 0, 0, 1, 0]) == ([1, 4], [], [])


def test_a_wrong_edge_takes_the_place_of_a_missed_one() -> None:
    assert overlay(circuit([1, 4]), [0, 0.9, 0, 0.8, 0.7, 0]) == ([1], [4], [3])


def test_optional_edges_are_neither_found_nor_false() -> None:
    assert overlay(circuit([1, 4], optional=[0]), [1.0, 0.9, 0, 0, 0.8, 0]) == ([1, 4], [], [])


def test_the_minimal_circuit_that_fits_best_is_the_truth() -> None:
    truth = circuit([5], optional=[0, 1], minimal=[[5, 0], [5, 1]])
    assert overlay(truth, [0, 0.9, 0.1, 0, 0, 1.0]) == ([1, 5], [], [])


def test_edges_with_equal_scores_across_the_cut_are_not_taken() -> None:
    assert overlay(circuit([1, 4]), [0.5, 0.5, 0.5, 0.5, 0.9, 0.5]) == ([4], [1], [])
    assert overlay(circuit([1, 4]), [0.5] * 6) == ([], [1, 4], [])
