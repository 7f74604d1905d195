from pathlib import Path

import pytest
import torch
from rival_networks import DOMAIN, claim, mechanism, model, network, save_rivals

from peabench.certification import contradiction
from peabench.certification.claims import same_claim
from peabench.certification.companions import same_behaviour_check
from peabench.certification.subject import examine
from peabench.mechanism import AlgorithmClaim, And, Hypothesis, Not, Or, VariableReference
from peabench.networks import Network, build_network
from peabench.tasks import save_certificate


def twin() -> Network:
    return build_network(network("factored").config, torch.Generator().manual_seed(7))


def test_companions_that_behave_alike_pass_and_one_that_does_not_fails() -> None:
    subject = examine(network("factored"), mechanism("factored"), DOMAIN)
    others: list[Network] = [network("expanded", 1), network("factored", 2)]
    check = same_behaviour_check(subject, others, twin())
    assert check is not None
    assert check.passed
    assert (check.cases, check.errors, check.exhaustive) == (32, 0, True)
    assert check.recorded["smallest margin"] == pytest.approx(4)
    assert 0 < check.recorded["largest change of a logit in 5 other gauges"] < 1e-4
    with torch.no_grad():
        others[1].b_output.add_(8)
    wrong = same_behaviour_check(subject, others, twin())
    assert wrong is not None
    assert wrong.errors == 10  # all inputs whose output is no
    assert not wrong.passed


@pytest.mark.parametrize(("faint", "wrong"), [([True, False], 12), ([False, True], 6)])
def test_margins_that_rounding_in_another_gauge_may_bridge_are_errors(faint: list[bool], wrong: int) -> None:
    """All outputs are still right, and those that are yes by a hair."""
    own, other = (network(name) for name in ("factored", "expanded"))
    with torch.no_grad():
        for some, little in zip((own, other), faint, strict=True):
            some.b_output.add_(-4 + 1e-6 if little else 0)
    check = same_behaviour_check(examine(own, mechanism("factored"), DOMAIN), [other, network("factored", 2)], twin())
    assert check is not None
    assert check.errors == wrong  # of six inputs each; the own network's are as many against each companion
    assert not check.passed
    assert 0 < check.recorded["smallest margin"] < 1e-5


def test_a_null_that_behaves_alike_proves_nothing() -> None:
    subject = examine(network("factored"), mechanism("factored"), DOMAIN)
    check = same_behaviour_check(subject, [network("expanded")], network("factored", 3))
    assert check is not None
    assert check.errors == 0
    assert not check.passed
    assert same_behaviour_check(subject, [], twin()) is None


def renamed_values() -> Hypothesis:
    """The factored hypothesis with neither A nor C in place of A or C."""
    true = model("factored")
    a, b, c, v = (VariableReference(name=name) for name in "ABCv")
    neither = true.variable("v").model_copy(update={"function": Not(argument=Or(arguments=(a, c)))})
    output = And(arguments=(b, Not(argument=v)))
    variables = (*true.variables[:3], neither, true.variable("answer").model_copy(update={"function": output}))
    other = true.model_copy(update={"variables": variables})
    return claim("factored").hypotheses[0].model_copy(update={"name": "renamed", "holds": False, "causal_model": other})


def test_hypotheses_that_differ_only_in_what_they_call_a_value_are_the_same() -> None:
    hypotheses = claim("factored").hypotheses
    assert same_claim(hypotheses, DOMAIN) is None
    assert same_claim((*hypotheses, renamed_values()), DOMAIN) == ("factored", "renamed")


def test_a_task_with_the_same_claim_twice_contradicts_itself(tmp_path: Path) -> None:
    task = save_rivals(tmp_path, companions={})
    save_certificate(tmp_path, [])
    assert contradiction(task, []) is None
    twice = AlgorithmClaim(hypotheses=(*claim("factored").hypotheses, renamed_values()))
    task = save_rivals(tmp_path / "other", companions={})
    mechanism("factored").model_copy(update={"algorithm": twice}).save(task.folder)
    save_certificate(task.folder, [])
    assert contradiction(task, []) == "mechanism.json calls one hypothesis factored and renamed"
