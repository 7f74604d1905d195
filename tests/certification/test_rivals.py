"""The checks of rival hypotheses pass on hand-written networks, and fail where what they say is false."""

from collections.abc import Sequence

import pytest
import torch
from rival_networks import DOMAIN, FORMULAS, claim, mechanism, model, network

from peabench.certification.hypothesis_search import search, sites_of
from peabench.certification.rivals import REFUTED, hypotheses_check, rivals_check
from peabench.certification.subject import Subject, examine
from peabench.live import live_subspaces, read_out
from peabench.mechanism import AlgorithmClaim, Mechanism
from peabench.networks import Network, build_network


def claiming(truth: str, names: Sequence[str], held: Sequence[str]) -> Mechanism:
    """The mechanism of a network, with some hypotheses, of which those are said to hold."""
    chosen = [h.model_copy(update={"holds": h.name in held}) for h in claim(truth).hypotheses if h.name in names]
    return mechanism(truth).model_copy(update={"algorithm": AlgorithmClaim(hypotheses=tuple(chosen))})


def subject(truth: str, names: Sequence[str], held: Sequence[str], made: Network | None = None) -> Subject:
    return examine(made or network(truth), claiming(truth, names, held), DOMAIN)


def untrained() -> Network:
    return build_network(network("factored").config, torch.Generator().manual_seed(7))


def test_what_is_computed_is_found_and_what_is_not_is_nowhere() -> None:
    made = network("expanded")
    live = read_out(made) | live_subspaces(mechanism("expanded"), made.graph)
    found = search(made, [model(name) for name in FORMULAS], DOMAIN, 1, live=live)
    rates = {name: outcome.rate for name, outcome in zip(FORMULAS, found, strict=True)}
    assert {name for name, rate in rates.items() if rate <= REFUTED} == {"expanded", "half", "other-half"}
    assert all(rates[name] == 0 for name in ("expanded", "half", "other-half"))
    assert min(rate for rate in rates.values() if rate > REFUTED) > 2 * REFUTED
    assert all(outcome.cases > 100 for outcome in found)
    assert found[list(FORMULAS).index("expanded")].site == "resid.1@0"


def test_what_nobody_reads_fakes_a_rival_unless_it_is_taken_from_other_inputs() -> None:
    """(A or C) - A is not A and C: no part of the factored network computes it, and the residual stream has both."""
    made = network("factored")
    on_domain = search(made, [model("implication")], DOMAIN, 2)[0]
    live = read_out(made) | live_subspaces(mechanism("factored"), made.graph)
    anywhere = search(made, [model("implication")], DOMAIN, 2, live=live)[0]
    assert anywhere.rate > on_domain.rate + REFUTED


def test_the_check_passes_where_the_claim_is_true() -> None:
    check = rivals_check(subject("factored", ["factored", "expanded", "parity"], ["factored"]), untrained())
    assert check is not None
    assert check.passed
    assert (check.cases, check.errors) == (4, 0)
    assert check.null is not None
    assert check.null.errors == check.null.cases == 1
    assert check.recorded["factored wrong"] == 0
    assert check.recorded["expanded wrong"] > REFUTED
    assert check.recorded["factored wrong in the random-init twin"] > REFUTED


@pytest.mark.parametrize(
    ("truth", "names", "held", "errors"),
    [
        ("expanded", ["expanded", "half"], ["expanded"], 1),  # half of what it computes holds too
        ("expanded", ["expanded", "factored"], ["factored"], 2),
    ],
)
def test_the_check_fails_where_the_claim_is_false(truth: str, names: list[str], held: list[str], errors: int) -> None:
    check = rivals_check(subject(truth, names, held), untrained())
    assert check is not None
    assert check.errors == errors
    assert not check.passed


def test_the_check_fails_on_an_untrained_network() -> None:
    check = rivals_check(subject("factored", ["factored", "parity"], ["factored"], untrained()), None)
    assert check is not None
    assert not check.passed
    assert check.recorded["factored wrong"] > REFUTED


def test_a_twin_in_which_everything_is_found_says_that_the_search_is_vacuous() -> None:
    twin = network("factored", 1)
    with torch.no_grad():  # a faint reader of v alone: what is read of v and B is else their sum only
        twin.block(1).w_in[1, 4, 0] = 1.0
        twin.block(1).w_out[1, 0, 6] = 0.01
    check = rivals_check(subject("factored", ["factored", "parity"], ["factored"]), twin)
    assert check is not None
    assert check.errors == 1
    assert not check.passed


def test_without_rivals_there_is_nothing_to_check() -> None:
    assert rivals_check(subject("factored", ["factored"], ["factored"]), None) is None
    silent = mechanism("factored").model_copy(update={"algorithm": None})
    assert rivals_check(examine(network("factored"), silent, DOMAIN), None) is None
    assert hypotheses_check(examine(network("factored"), silent, DOMAIN)) is None


def test_a_hypothesis_that_holds_beside_the_mechanism_is_interchanged_at_its_places() -> None:
    check = hypotheses_check(subject("expanded", list(FORMULAS), ["expanded", "half", "other-half"]))
    assert check is not None
    assert check.passed
    assert (check.errors, check.null is not None and check.null.errors > 0) == (0, True)
    assert set(check.recorded) == {"half errors", "other-half errors"}


@pytest.mark.parametrize("name", ["last-then-rest", "parity", "implication"])
def test_a_hypothesis_that_does_not_hold_fails_at_those_places(name: str) -> None:
    check = hypotheses_check(subject("expanded", list(FORMULAS), ["expanded", name]))
    assert check is not None
    assert check.errors > 0
    assert not check.passed


def test_a_variable_without_a_place_is_an_error() -> None:
    truth = subject("factored", list(FORMULAS), ["factored", "other-half"])  # its variable w is aligned nowhere
    check = hypotheses_check(truth)
    assert check is not None
    assert check.errors == check.cases > 0


def test_the_embedding_is_no_place_of_what_follows_from_two_columns() -> None:
    assert sites_of(network("factored").graph) == ("resid.1@0", "resid.2@0")
