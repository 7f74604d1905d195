"""The checks of rival hypotheses pass on hand-written networks, and fail where what they say is false."""

from collections.abc import Iterator, Sequence
from itertools import count

import pytest
import torch
from jaxtyping import Int
from pydantic import PrivateAttr
from rival_networks import DOMAIN, FORMULAS, A, both, claim, either, mechanism, model, network, no
from torch import Tensor

from peabench.certification import hypothesis_search
from peabench.certification.hypothesis_search import Found, search, sites_of
from peabench.certification.rivals import REFUTED, SEEDS, Evidence, hypotheses_check, rivals_check
from peabench.certification.subject import Subject, examine
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.live import live_subspaces, read_out
from peabench.mechanism import AlgorithmClaim, Boolean, CausalModel, Hypothesis, Mechanism, Variable, VariableReference
from peabench.networks import Network, build_network


def claiming(truth: str, names: Sequence[str], held: Sequence[str]) -> Mechanism:
    """The mechanism of a network, with some hypotheses, of which those are said to hold."""
    chosen = [h.model_copy(update={"holds": h.name in held}) for h in claim(truth).hypotheses if h.name in names]
    return mechanism(truth).model_copy(update={"algorithm": AlgorithmClaim(hypotheses=tuple(chosen))})


def subject(truth: str, names: Sequence[str], held: Sequence[str], made: Network | None = None) -> Subject:
    return examine(made or network(truth), claiming(truth, names, held), DOMAIN)


def untrained() -> Network:
    return build_network(network("factored").config, torch.Generator().manual_seed(7))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few steps that a test is quick: in networks written by hand means alone show what is computed."""
    monkeypatch.setattr(hypothesis_search, "FIRST_STEPS", 4)
    monkeypatch.setattr(hypothesis_search, "LAST_STEPS", 16)


def test_what_is_computed_is_found_and_what_is_not_is_nowhere() -> None:
    made = network("expanded")
    live = read_out(made) | live_subspaces(mechanism("expanded"), made.graph)
    found = search(made, [model(name) for name in FORMULAS], DOMAIN, 1, live=live)
    rates = {name: max(one.rate for one in variables) for name, variables in zip(FORMULAS, found, strict=True)}
    assert {name for name, rate in rates.items() if rate <= REFUTED} == {"expanded", "half", "other-half"}
    assert all(rates[name] == 0 for name in ("expanded", "half", "other-half"))
    assert min(rate for rate in rates.values() if rate > REFUTED) > 2 * REFUTED
    assert [[one.variable for one in variables] for variables in found] == [
        list(inner) for inner, _ in FORMULAS.values()
    ]
    assert all(one.cases > 100 for variables in found for one in variables)
    assert {one.site for one in found[list(FORMULAS).index("expanded")]} == {"resid.1@0"}


def test_what_nobody_reads_fakes_a_rival_unless_it_is_taken_from_other_inputs() -> None:
    """(A or C) - A is not A and C: no part of the factored network computes it, and the residual stream has both."""
    made = network("factored")
    ((on_domain,),) = search(made, [model("implication")], DOMAIN, 2)
    live = read_out(made) | live_subspaces(mechanism("factored"), made.graph)
    ((anywhere,),) = search(made, [model("implication")], DOMAIN, 2, live=live)
    assert anywhere.rate > on_domain.rate + REFUTED


class Switched(ProductDomain):
    """Draws of inputs without A and C and of inputs with A in turn: as a source either turns the other's output."""

    _draws: Iterator[int] = PrivateAttr(default_factory=count)

    def sample(self, count: int, generator: torch.Generator) -> Int[Tensor, "row column"]:
        rows = super().sample(count, generator)
        rows[:, :3] = torch.tensor([next(self._draws) % 2, 1, 0])
        return rows


@pytest.mark.usefixtures("brief")
def test_a_variable_that_always_changes_the_output_is_judged_by_pairs_that_should_change() -> None:
    domain = Switched(sizes=DOMAIN.sizes)
    ((found,),) = search(network("factored"), [model("factored")], domain, 2)
    assert (found.errors, found.cases) == (0, 512)
    cut = network("factored")
    with torch.no_grad():
        cut.w_output.zero_()
    ((nowhere,),) = search(cut, [model("factored")], domain, 2)
    assert nowhere.rate > REFUTED


def outcomes(*errors: tuple[int, ...]) -> Evidence:
    """For each seed, errors on 1,024 pairs for each variable."""
    return Evidence(
        tuple(tuple(Found(f"v{i}", "resid.1@0", some, 1024) for i, some in enumerate(found)) for found in errors)
    )


@pytest.mark.parametrize(
    ("errors", "refuted", "found"),
    [
        ([(0, 200), (0, 300), (9, 250)], True, False),
        ([(0, 200), (0, 300), (0, 9)], False, False),  # one seed finds it
        ([(200, 0), (0, 200), (0, 0)], False, False),  # each variable is found by a seed
        ([(60, 0), (60, 0), (60, 0)], False, False),  # 5.9%: as likely as not luck
        ([(70, 0), (70, 0), (70, 0)], True, False),
        ([(0, 30), (9, 0), (0, 0)], False, True),
        ([(0, 0), (0, 0), (0, 45)], False, False),  # 4.4%, of which one seed in twenty makes less of 5%
    ],
)
def test_seeds_must_agree_beyond_luck(errors: Sequence[tuple[int, ...]], refuted: bool, found: bool) -> None:
    evidence = outcomes(*errors)
    assert (evidence.refuted, evidence.found) == (refuted, found)


def test_what_cannot_be_judged_neither_refutes_nor_is_found() -> None:
    nothing = Evidence(((Found("v", "", 0, 0),),) * SEEDS)
    assert (nothing.refuted, nothing.found) == (False, False)


def never_changing(name: str) -> Hypothesis:
    """A hypothesis with one variable more, which is never true and changes nothing."""
    true = next(h for h in claim("factored").hypotheses if h.name == name)
    assert true.causal_model is not None
    *before, answer = true.causal_model.variables
    assert answer.function is not None
    never = Variable(name="never", kind=Boolean(), parents=("A",), function=both(A, no(A)))
    either_way = either(answer.function, VariableReference(name="never"))
    after = answer.model_copy(update={"function": either_way, "parents": (*answer.parents, "never")})
    wider = CausalModel(variables=(*before, never, after), output=answer.name)
    return true.model_copy(update={"causal_model": wider})


@pytest.mark.parametrize("name", ["factored", "parity"])
def test_a_variable_that_never_changes_the_output_is_refused(name: str) -> None:
    hypotheses = claiming("factored", ["factored", "parity"], ["factored"]).algorithm
    assert hypotheses is not None
    changed = AlgorithmClaim(
        hypotheses=tuple(never_changing(name) if h.name == name else h for h in hypotheses.hypotheses)
    )
    claimed = mechanism("factored").model_copy(update={"algorithm": changed})
    with pytest.raises(PeabenchError, match=f"got 'never' of the hypothesis '{name}', which changes none of 4,096"):
        rivals_check(examine(network("factored"), claimed, DOMAIN), None)


@pytest.mark.usefixtures("brief")
def test_the_check_passes_where_the_claim_is_true() -> None:
    check = rivals_check(subject("factored", ["factored", "expanded", "parity"], ["factored"]), untrained())
    assert check is not None
    assert check.passed
    assert (check.cases, check.errors) == (4, 0)
    assert check.null is not None
    assert check.null.errors == check.null.cases == 1
    assert check.recorded["factored wrong"] == 0
    assert check.recorded["factored wrong, at most"] <= REFUTED
    assert check.recorded["expanded wrong"] > check.recorded["expanded wrong, at least"] > REFUTED
    assert check.recorded["factored wrong in the random-init twin, at least"] > REFUTED


@pytest.mark.usefixtures("brief")
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


@pytest.mark.usefixtures("brief")
def test_the_check_fails_on_an_untrained_network() -> None:
    check = rivals_check(subject("factored", ["factored", "parity"], ["factored"], untrained()), None)
    assert check is not None
    assert not check.passed
    assert check.recorded["factored wrong"] > REFUTED


@pytest.mark.usefixtures("brief")
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
