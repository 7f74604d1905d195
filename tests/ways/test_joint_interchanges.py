"""No rival is made true by swapping several things at once, of whatever a planted way still reads, at any stage."""

import pytest
from tests.units.joint_interchanges import least_wrong

from peabench.certification.rivals import REFUTED, with_models
from peabench.domain import ProductDomain
from peabench_tasks.distributive.attending.specifications import Attending
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.terms import XOR, Term

FAMILIES: tuple[type[Specification], ...] = (Distributive, Attending, SparseParity, MultitaskParity)
LISTED = [specification for family in FAMILIES for specification in family.listed()]


def wrong(ways: tuple[Term, ...], truth: int) -> list[float]:
    """How wrong each way is, at best, of a network that goes one of them: on all pairs of what the letters may be."""
    letters = sorted(set().union(*(way.letters() for way in ways)))
    inputs = {letter: f"x{column}" for column, letter in enumerate(letters)}
    claimed = claim(ways, truth, inputs, len(letters))
    models = [h.causal_model for h in with_models(claimed) if h.causal_model is not None]
    return least_wrong(models[truth], models, ProductDomain(sizes=(2,) * len(letters)))


@pytest.mark.parametrize("specification", LISTED, ids=lambda s: f"{s.family}-{s.name}")
def test_no_rival_is_a_joint_interchange_of_what_a_planted_way_reads(specification: Specification) -> None:
    for truth in specification.truths:
        rates = wrong(specification.ways, truth)
        assert rates.pop(truth) == 0
        assert min(rates) > REFUTED


def test_rivals_that_are_joint_interchanges_are_seen() -> None:
    parity, but_for_both = TABLES["parity"], TABLES["and_over_xor"]
    assert wrong(parity, 3)[0] == 0, "A and B with A or B are A xor B"
    assert wrong(but_for_both, 4)[0] == 0, "A or C with A and C are A xor C"
    three = (XOR(XOR("A", "B"), XOR("C", "D"), "E"), XOR(XOR("A", "B", "C", "D"), "E"))
    assert wrong(three, 0)[1] == 0
    assert wrong(three, 1)[0] > 0.4
