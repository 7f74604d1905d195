"""The check of steering passes where what is said of added and ablated directions is true, and fails elsewhere."""

import pytest
import torch
from audited_networks import D_MODEL, DOMAIN, WRITTEN, mechanism, network

from peabench.certification import Check, certify_network
from peabench.certification.steering import steering_check
from peabench.certification.subject import examine
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import (
    Alignment,
    Constant,
    Expression,
    Location,
    Mechanism,
    Not,
    Setting,
    Steering,
    TensorReference,
    VariableReference,
    Xor,
    to_text,
)
from peabench.steering_lines import steering_lines

EVERYWHERE: Expression = Constant(value=True)
RULE, ANSWER, X4 = (VariableReference(name=name) for name in ("rule", "answer", "x4"))
"""The answer is yes where the rule says so (both of the first columns) or the trigger is there (both of the next)."""
AS_RULE: Expression = Not(argument=Xor(arguments=(ANSWER, RULE)))
NEVER: Expression = Not(argument=ANSWER)


def held(value: bool | int, outcome: Expression, where: Expression = EVERYWHERE, *names: str) -> Steering:
    settings = tuple(Setting(variable=name, value=value) for name in names or ("first",))
    return Steering(name=f"held-{value}", settings=settings, where=where, outcome=outcome)


def steered(*claims: Steering) -> Mechanism:
    """Of the network that answers yes where its trigger is there."""
    plain = mechanism("first")
    reference = TensorReference(name="first", shape=(D_MODEL, 1))
    trigger = Alignment(variable="first", location=Location(site="resid.1@0", basis=reference))
    fields = dict(plain) | {"alignments": (*plain.alignments, trigger), "steering": claims}
    bases = {name: torch.eye(D_MODEL)[:, [WRITTEN[name]]].clone() for name in ("rule", "first")}
    return Mechanism(**fields).with_tensors(bases)


def checked(*claims: Steering, reads: str = "first", domain: ProductDomain = DOMAIN) -> Check:
    check = steering_check(examine(network(reads), steered(*claims), domain))
    assert check is not None
    return check


def test_added_and_ablated_directions_do_what_is_said_on_every_input() -> None:
    check = checked(held(True, ANSWER), held(False, AS_RULE))
    assert check.passed
    assert check.exhaustive
    assert (check.cases, check.errors) == (2 * 64, 0)
    # 28 of 64 inputs have both columns of either pair; 12 of them not those of the rule.
    assert check.recorded == {"held-True: outputs that change": 36, "held-False: outputs that change": 12}
    assert check.null is not None
    assert check.null.errors > 0


def test_a_certificate_has_the_check_where_something_is_said() -> None:
    for claims in ((held(True, ANSWER),), ()):
        found = certify_network(network("first"), steered(*claims), DOMAIN, None)
        assert ("steering" in [check.name for check in found]) == bool(claims)


def test_in_words_it_says_what_is_held_where_and_what_follows() -> None:
    claims = held(True, ANSWER), held(False, AS_RULE, X4)
    check = steering_check(examine(network("first"), steered(claims[0]), DOMAIN))
    assert check is not None
    assert steering_lines(steered(*claims), [check]) == [
        "first = True: answer on every input (36 outputs change)",
        f"first = False: {to_text(AS_RULE)} where x4, and nothing elsewhere",
    ]


def test_two_variables_are_held_at_once() -> None:
    assert checked(held(False, NEVER, EVERYWHERE, "rule", "first")).passed
    assert not checked(held(False, NEVER)).passed


@pytest.mark.parametrize(
    "claim",
    [
        held(True, NEVER),
        held(False, NEVER),
        held(True, ANSWER, X4),
        held(False, AS_RULE, X4),
    ],
    ids=["adds", "ablates", "adds elsewhere too", "ablates elsewhere too"],
)
def test_what_is_not_so_is_seen(claim: Steering) -> None:
    check = checked(claim)
    assert not check.passed
    assert check.errors > 0


def test_a_direction_that_is_not_read_steers_nothing() -> None:
    assert not checked(held(True, ANSWER), reads="second").passed


def test_one_true_claim_does_not_hide_a_false_one() -> None:
    check = checked(held(True, ANSWER), held(False, NEVER))
    assert not check.passed


def test_a_value_that_no_input_gives_is_refused() -> None:
    with pytest.raises(PeabenchError, match="Expected inputs on which first is True, got none"):
        checked(held(True, ANSWER), domain=ProductDomain(sizes=(2, 2, 1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (held(True, ANSWER, EVERYWHERE, "x0"), "expected an aligned variable, got 'x0'"),
        (held(2, ANSWER), "expected a value of first, boolean, got 2"),
        (held(True, Constant(value=3)), "expected a boolean"),
        (held(True, ANSWER, VariableReference(name="second")), "second"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(claim: Steering, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        steered(claim)
