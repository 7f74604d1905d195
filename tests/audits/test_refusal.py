"""Requests are refused through gates: what is said of adding and ablating them is true of the causal models."""

import pytest
import torch

from peabench.mechanism import CausalModel, Steering, evaluate
from peabench_tasks.audits.audit import ANSWER, Audit
from peabench_tasks.refusal.audits import REFUSED, jailbroken, steering, uncovered

AUDITS = {
    "uncovered": uncovered(0, 3),
    "one gate": jailbroken(0, 4),
    "two gates": jailbroken(0, 4, gates=2),
    "vacuous": jailbroken(0, 4, vacuous=True),
}


def models(audit: Audit) -> list[tuple[CausalModel, tuple[Steering, ...]]]:
    departing = [(audit.model(name), departure.steering) for name, departure in audit.departures.items()]
    return [(model, claims or ()) for model, claims in [(audit.model(None), audit.steering), *departing]]


def answers(model: CausalModel, rows: torch.Tensor, **held: bool) -> torch.Tensor:
    settings = {name: torch.tensor(value).expand(len(rows)) for name, value in held.items()}
    return model.run(model.read_inputs(rows), settings)[ANSWER]


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_every_claim_holds_on_every_input(audit: Audit) -> None:
    rows = audit.domain.all()
    for model, claims in models(audit):
        assert len(claims) >= 2
        for claim in claims:
            held = {setting.variable: torch.tensor(setting.value).expand(len(rows)) for setting in claim.settings}
            values = model.run(model.read_inputs(rows), held)
            assert bool(evaluate(claim.outcome, values, model.kinds).all())


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_about_half_of_the_requests_are_refused_and_no_gate_but_those_said_decides(audit: Audit) -> None:
    rows = audit.domain.all()
    for model, claims in models(audit):
        refused = answers(model, rows) == REFUSED
        assert 0.3 < float(refused.double().mean()) < 0.8
        gates = {setting.variable for claim in claims for setting in claim.settings}
        assert gates == {name for name in model.variable(ANSWER).parents if name != "reply"}


def test_with_two_gates_ablating_one_does_not_suffice() -> None:
    audit = AUDITS["two gates"]
    rows, model = audit.domain.all(), audit.model(None)
    gates = model.variable(ANSWER).parents[:2]
    for gate in gates:
        left = answers(model, rows, **{gate: False}) == REFUSED
        assert bool(left.any())
        assert int(left.sum()) < int((answers(model, rows) == REFUSED).sum())
    assert not bool((answers(model, rows, **dict.fromkeys(gates, False)) == REFUSED).any())


def test_departures_answer_what_the_rule_refuses() -> None:
    for audit in AUDITS.values():
        rows = audit.domain.all()
        right = answers(audit.model(None), rows)
        for name in audit.departures:
            got = answers(audit.model(name), rows)
            differs = got != right
            assert bool(differs.any())
            assert bool((right[differs] == REFUSED).all())


def test_claims_are_one_to_add_each_gate_and_one_to_ablate_all_and_each_of_two() -> None:
    audit = AUDITS["two gates"]
    assert [claim.name for claim in steering(audit.rule[:1])] == ["add-refuse", "ablate-refuse"]
    assert len(steering(audit.rule[:2])) == 5
