"""Each check of the contract passes a scorer that keeps it, and fails one that breaks just that."""

from typing import Any

import pytest
import torch

from peabench import PeabenchError, Scorer
from peabench.conformance import CHECKS, assert_conforms, findings
from peabench.interventions import edge_attributions
from peabench.tracks.circuits import CircuitAnswer
from peabench_baselines.circuits.exact_patching import ExactPatching
from peabench_baselines.variables.mean_difference import MeanDifference


class Good(Scorer[Any, CircuitAnswer]):
    name = "good"
    track = "circuits"
    reference = "a test"

    def score(self, question: Any) -> CircuitAnswer:
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))


class Declining(Good):
    def applicable(self, question: Any) -> str:
        return "It is Sunday."


class Crashing(Good):
    def score(self, question: Any) -> CircuitAnswer:
        raise ZeroDivisionError("by nothing")


class Mumbling(Good):
    def applicable(self, question: Any) -> Any:
        return False


class Infinite(Good):
    def score(self, question: Any) -> CircuitAnswer:
        return CircuitAnswer(super().score(question).scores / 0)


class Short(Good):
    def score(self, question: Any) -> CircuitAnswer:
        return CircuitAnswer(super().score(question).scores[1:])


class Vandal(Good):
    def score(self, question: Any) -> CircuitAnswer:
        with torch.no_grad():
            question.network.w_output.mul_(2)
        return super().score(question)


class Moody(Good):
    calls = 0

    def score(self, question: Any) -> CircuitAnswer:
        Moody.calls += 1
        return CircuitAnswer(super().score(question).scores + Moody.calls)


class Remembering(MeanDifference):
    """Answers the second question that it is asked with another site."""

    def __init__(self) -> None:
        self.asked = 0

    def score(self, question: Any) -> Any:
        self.asked += 1
        answer = super().score(question)
        return answer if self.asked == 1 else type(answer)(question.sites[-1], answer.basis)


class Attributing(Good):
    def score(self, question: Any) -> CircuitAnswer:
        network, base, source = question.network, question.base, question.source
        return CircuitAnswer(edge_attributions(network, base, source, lambda logits: logits[..., -1, 0]).abs())


class Weighing(Good):
    """Likes edges from the units whose first neuron is heavy, which a re-gauged copy has elsewhere."""

    gauge_invariant = True

    def score(self, question: Any) -> CircuitAnswer:
        weights = torch.cat([p.flatten() for name, p in question.network.named_parameters() if "w_in" in name])
        return CircuitAnswer(weights[: len(question.edges)].abs())


@pytest.mark.parametrize(
    ("scorer", "check", "problem"),
    [
        (Crashing, "answers", "ZeroDivisionError: by nothing"),
        (Mumbling, "data", "Expected `applicable` to return a reason or None, got False"),
        (Infinite, "data", "Expected finite numbers"),
        (Short, "data", "one real number for each of the"),
        (Vandal, "network", "changed the network's w_output"),
        (Moody, "repeats", "two answers under one seed"),
        (Remembering, "order", "asked after others"),
        (Attributing, "passes", "backward example-passes, and none are declared"),
        (Weighing, "gauge", "on a network with other weights that computes the same"),
    ],
)
def test_a_broken_promise_is_found_and_told(scorer: Any, check: str, problem: str) -> None:
    found = {finding.check: finding for finding in findings(scorer)}
    assert list(found) == list(CHECKS)
    assert found[check].verdict == "failed"
    assert problem in found[check].problem
    assert found[check].advice.endswith(".")
    assert found[check].task.startswith("boolean/tree-xs-")
    before = list(CHECKS)[: list(CHECKS).index(check)]
    assert {found[name].verdict for name in before} <= {"passed", "not claimed", "not reached"}


@pytest.mark.parametrize("scorer", [Good, Declining, MeanDifference, ExactPatching])
def test_who_keeps_the_contract_passes(scorer: Any) -> None:
    assert_conforms(scorer)
    assert {finding.verdict for finding in findings(scorer)} == {"passed", "not claimed"}


def test_what_is_not_claimed_is_not_held_against_a_scorer() -> None:
    class Free(Moody):
        deterministic = False

    found = {finding.check: finding.verdict for finding in findings(Free)}
    assert (found["repeats"], found["order"], found["gauge"]) == ("not claimed",) * 3


@pytest.mark.parametrize("scorer", [MeanDifference, ExactPatching])
def test_invariance_that_holds_passes_where_it_is_claimed(scorer: Any) -> None:
    class Claiming(scorer):  # type: ignore[misc]
        gauge_invariant = True

    found = {finding.check: finding for finding in findings(Claiming)}
    assert found["gauge"].verdict == "passed", found["gauge"].problem


def test_a_test_of_a_third_party_fails_with_a_line_for_each_check() -> None:
    with pytest.raises(AssertionError, match="Vandal does not keep the contract:\nnetwork \\(the network is left"):
        assert_conforms(Vandal)


def test_what_is_no_scorer_is_one_sentence() -> None:
    class Nameless(Good):
        name = "Has Blanks"

    with pytest.raises(PeabenchError, match="is named 'Has Blanks'"):
        assert_conforms(Nameless)
