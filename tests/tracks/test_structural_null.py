"""The structural null knows where edges lie, and nothing of the task that it is asked about."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_networks import network_of
from tests.tracks import gates

from peabench.mechanism import CausalModel, Circuit, CircuitEdge, Or
from peabench.networks import Network, TransformerConfig
from peabench.networks.gauge import random_gauge
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK
from peabench.tracks.structural_null import Array, edge_features, fit

NULL = TRACK.references[1]
SMALL: dict[str, Any] = {
    "d_vocabulary": 5, "n_positions": 3, "d_model": 8, "n_blocks": 2, "n_heads": 2, "d_head": 3, "d_mlp": 7,
    "d_output": 4,
}  # fmt: skip


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
    assert float(scores[first].mean()) > float(scores[~first].mean()) + 1
    late = dict.fromkeys(("output <- block2.unit0", "output <- block2.unit1"), ("x0", "g0"))
    scores = NULL.answer(question, gates_task, [other_task(tmp_path / "late", 1, late)]).scores
    assert float(scores[first].mean()) < float(scores[~first].mean()) - 1


def by_edge(network: Network) -> dict[str, Array]:
    return dict(zip(network.graph.edges, edge_features(network, network.graph.edge_indices), strict=True))


def test_depths_types_numbers_and_weight_norms_are_all_that_is_known() -> None:
    """A network with other weights of the same norms is the same to it; with other norms it is not."""
    network = network_of(TransformerConfig(**SMALL), 0)
    features = by_edge(network)
    assert len(np.unique(np.stack(list(features.values())), axis=0)) == len(features)
    turned, _ = random_gauge(network, torch.Generator().manual_seed(1))
    for edge, found in by_edge(turned).items():
        np.testing.assert_allclose(found, features[edge], atol=1e-4)
    with torch.no_grad():
        network.get_submodule("block1.attention").get_parameter("w_o")[0] *= 2
    changed = {edge for edge, found in by_edge(network).items() if not np.allclose(found, features[edge], atol=1e-4)}
    assert "output <- block1.head0" in changed
    assert "block1.head0.v <- embed" in changed
    assert "block1.head0.q <- embed" not in changed


def test_queries_keys_values_and_mlps_are_told_apart() -> None:
    network = network_of(TransformerConfig(**SMALL), 0)
    of_types = slice(12, 22)  # kinds of the node, then of the reader
    found = {edge: tuple(features[of_types]) for edge, features in by_edge(network).items()}
    readers = ("block1.head0.q", "block1.head0.k", "block1.head0.v", "block1.mlp", "output")
    assert len({found[f"{reader} <- block0.mlp"] for reader in readers}) == 5
    assert found["block1.head0.q <- block0.mlp"] == found["block1.head1.q <- block0.mlp"]
    assert found["block1.head0.q <- block0.mlp"] != found["block1.head0.q <- block0.head1"]
