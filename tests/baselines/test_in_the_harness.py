"""Real scorers on a real task, through the harness: the oracle at 1, chance at 0, a method between or above."""

import pytest
import torch
from cells import cell_on

from peabench.cells import run_cell
from peabench.discovery import ScorerEntry, references, scorer_at
from peabench.results import CellResult
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK as CIRCUITS
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.random_subspace import RandomSubspace

METHODS = {
    "mean-difference": "peabench_baselines.variables.mean_difference:MeanDifference",
    "random-subspace": "peabench_baselines.variables.random_subspace:RandomSubspace",
    "random-edges": "peabench_baselines.circuits.random_edges:RandomEdges",
    "eap": "peabench_baselines.circuits.eap:EAP",
    "eap-ig": "peabench_baselines.circuits.eap_ig:EAPIG",
}


class Tampering(RandomSubspace):
    """Answers at random and bends what it was given, so that any answer would look right on it."""

    def score(self, question: VariableQuestion) -> VariableAnswer:
        answer = super().score(question)
        question.network.unembed = torch.zeros_like  # type: ignore[method-assign, assignment]
        question.training.base.zero_()
        question.validation.source.zero_()
        vars(question.causal_model.variables[-1].function)["name"] = "x0"  # the answer is now an input
        return answer


def entry(track: str, name: str) -> ScorerEntry:
    if name in METHODS:
        return scorer_at(METHODS[name])
    return next(found for found in references() if (found.track, found.name) == (track, name))


def result_of(task: Task, track: str, name: str, found: ScorerEntry | None = None) -> CellResult:
    result = run_cell(cell_on(task, found or entry(track, name))).result
    assert result.status == "ok", result.traceback
    return result


@pytest.mark.parametrize("track", ["variables", "circuits"])
def test_the_oracle_earns_1_in_a_cell(gates_task: Task, track: str) -> None:
    assert result_of(gates_task, track, "oracle").metrics["score"] == 1


def test_a_method_is_asked_about_the_twin_too(gates_task: Task) -> None:
    result = result_of(gates_task, "variables", "mean-difference")
    assert result.metrics["selectivity"] == pytest.approx(result.questions[0]["selectivity"])
    assert [("selectivity" in question) for question in result.questions] == [True, False]
    assert result.cost is not None
    assert result.cost.forward_passes > 1000
    assert result.cost.backward_passes == 0


@pytest.mark.parametrize("name", ["structural-null", "random-edges"])
def test_nulls_earn_little_in_a_cell(gates_task: Task, name: str) -> None:
    assert result_of(gates_task, "circuits", name).metrics["score"] < 0.4


def test_what_a_scorer_does_to_its_question_changes_no_grade(gates_task: Task) -> None:
    honest = result_of(gates_task, "variables", "random-subspace")
    bent = result_of(gates_task, "variables", "random-subspace", scorer_at(f"{__name__}:Tampering"))
    assert bent.answer_hash == honest.answer_hash
    assert bent.metrics == honest.metrics


def test_a_cell_gives_the_same_answer_again(gates_task: Task) -> None:
    one, two = (result_of(gates_task, "variables", "random-subspace") for _ in range(2))
    assert one.answer_hash == two.answer_hash
    assert one.metrics == two.metrics


@pytest.mark.parametrize(("name", "forward", "backward"), [("random-edges", 0, 0), ("eap", 3, 1), ("eap-ig", 7, 5)])
def test_the_passes_of_a_cell_are_those_that_its_method_runs(
    gates_task: Task, name: str, forward: int, backward: int
) -> None:
    """EAP runs the base inputs for its metric, base and source, and one way back; EAP-IG four more both ways."""
    pairs = sum(len(question.base) for question in CIRCUITS.questions(gates_task, 0))
    cost = result_of(gates_task, "circuits", name).cost
    assert cost is not None
    assert (cost.forward_passes, cost.backward_passes) == pytest.approx((forward * pairs, backward * pairs))
    assert cost.wall_seconds > 0
    assert cost.peak_memory_bytes >= 0
