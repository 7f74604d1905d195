"""The structural null knows where edges lie, and nothing of the task that it is asked about."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tracks import gates

from peabench.mechanism import CausalModel, Circuit, CircuitEdge, Or
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK
from peabench.tracks.structural_null import edge_features, fit

NULL = TRACK.references[1]


def another_model(name: str) -> CausalModel:
    """Or in place of one of the conjunctions."""
    model = gates.causal_model()
    changed = [
        v.model_copy(update={"function": Or(arguments=v.function.arguments)}) if v.name == name else v  # type: ignore[union-attr]
        for v in model.variables
    ]
    return model.model_copy(update={"variables": tuple(changed)})


def other_task(folder: Path, seed: int, required: dict[str, tuple[str, str]], gate: str = "g0") -> Task:
    edges = tuple(CircuitEdge(edge=edge, status="required", carries=(pair,)) for edge, pair in required.items())
    truth = gates.mechanism().model_copy(update={"circuit": Circuit(edges=edges), "causal_model": another_model(gate)})
    return gates.save_gates(folder, gates.network(), truth, seed=seed)


def test_it_learns_from_the_other_tasks_where_edges_are_required(gates_task: Task, tmp_path: Path) -> None:
    (question,) = TRACK.questions(gates_task, 0)
    other = other_task(tmp_path, 1, gates.REQUIRED)
    answer = NULL.answer(question, gates_task, [other])
    assert TRACK.grade(gates_task, 0, question, answer)["score"] > 0.02
    assert len(answer.scores.unique()) > 5


def test_tasks_that_may_share_the_truth_are_not_learnt_from(gates_task: Task, tmp_path: Path) -> None:
    same_seed = other_task(tmp_path / "a", 0, gates.REQUIRED)
    same_model = gates.save_gates(tmp_path / "b", gates.network(), gates.mechanism(), seed=1)
    assert fit(gates_task, [gates_task, same_seed, same_model]) is None
    (question,) = TRACK.questions(gates_task, 0)
    assert NULL.answer(question, gates_task, [gates_task]).scores.unique().tolist() == [0]
    other = other_task(tmp_path / "c", 2, gates.REQUIRED)
    alone, beside = (NULL.answer(question, gates_task, others).scores for others in ([other], [other, same_seed]))
    assert torch.equal(alone, beside)


def test_what_is_learnt_follows_the_others_and_not_the_task(gates_task: Task, tmp_path: Path) -> None:
    (question,) = TRACK.questions(gates_task, 0)
    early = dict.fromkeys(("block0.unit0 <- input4", "block0.unit1 <- input5"), ("x0", "g0"))
    scores = NULL.answer(question, gates_task, [other_task(tmp_path, 1, early)]).scores
    first = torch.tensor([edge.startswith("block0") for edge in question.edges])
    assert scores[first].min() > scores[~first].max()


def test_units_and_inputs_of_one_block_are_not_told_apart(gates_task: Task) -> None:
    graph = gates_task.network().graph
    features = edge_features(graph)
    by_edge = dict(zip(graph.edges, features, strict=True))
    assert np.array_equal(by_edge["block1.unit0 <- block0.unit1"], by_edge["block1.unit2 <- block0.unit0"])
    assert np.array_equal(by_edge["block1.unit0 <- input1"], by_edge["block1.unit2 <- input5"])
    assert not np.array_equal(by_edge["block1.unit0 <- input1"], by_edge["block2.unit0 <- input1"])
    assert len(np.unique(features, axis=0)) == pytest.approx(3 + 3 + 4, abs=1)
