"""Families whose networks are put together from units: which tasks they list, and whether rivals are rivals."""

from collections import Counter

import pytest
import torch
from tests.units.joint_interchanges import least_wrong

from peabench.certification.claims import same_claim
from peabench_tasks.facts.specifications import specifications as facts
from peabench_tasks.specification import OWN
from peabench_tasks.tracking.specifications import specifications as tracking
from peabench_tasks.units.algorithm import claim
from peabench_tasks.units.specification import PLAIN, STRONG, WEAK, Specification

FAMILIES = {"tracking": list(tracking()), "facts": list(facts())}
LISTED = [specification for family in FAMILIES.values() for specification in family]
CROSSED = [specification for specification in LISTED if specification.variant != PLAIN]
PROFILES = {(STRONG, WEAK): True, (WEAK, STRONG): False}


def name_of(specification: Specification) -> str:
    return f"{specification.family}/{specification.name}"


def profiles(specification: Specification) -> list[bool]:
    """Of each network: whether the variables of the own network's way are strong."""
    own = specification.truths[0]
    return [PROFILES[m.strengths] == (m.truth == own) for m in specification.members(0)]


@pytest.mark.parametrize("specification", LISTED, ids=name_of)
def test_all_ways_behave_alike_and_no_two_claim_the_same(specification: Specification) -> None:
    question = specification.question
    rows = question.domain.all()
    outputs = [a.model.run(a.model.read_inputs(rows))[a.model.output] for a in question.algorithms]
    assert all(torch.equal(output, outputs[0]) for output in outputs)
    assert len(question.algorithms) > 8
    claims = claim(question.algorithms, specification.truths[0]).hypotheses
    assert same_claim(claims, question.domain) is None


@pytest.mark.parametrize("specification", LISTED, ids=name_of)
def test_no_rival_is_a_joint_interchange_of_what_a_planted_way_reads(specification: Specification) -> None:
    question = specification.question
    for truth in specification.truths:
        planted = question.algorithm(truth).model
        models = [algorithm.model for algorithm in question.algorithms]
        rates = least_wrong(planted, models, question.domain)
        wrong = dict(zip((algorithm.name for algorithm in question.algorithms), rates, strict=True))
        assert wrong.pop(truth) == 0
        assert min(wrong.values()) > 0.08


def test_a_rival_that_is_a_joint_interchange_is_seen() -> None:
    specification = next(s for s in LISTED if s.family == "tracking" and s.size == "s")
    left, scan = (specification.question.algorithm(name).model for name in ("left", "scan"))
    assert least_wrong(left, [scan], specification.question.domain) == [0]
    (wrong,) = least_wrong(scan, [left], specification.question.domain)
    assert wrong > 0.08


def test_two_networks_follow_each_of_two_ways_that_share_no_variable() -> None:
    for specification in LISTED:
        members = specification.members(0)
        own, other = specification.truths
        assert [m.truth for m in members] == [own, own, other, other]
        assert members[0].name == OWN
        assert [m.bait for m in members] == ([None] * 4 if specification.variant == PLAIN else [other, other, own, own])
    for specification in CROSSED:
        inner = [set(specification.question.algorithm(truth).model.inner) for truth in specification.truths]
        assert not inner[0] & inner[1]


@pytest.mark.parametrize("specification", CROSSED, ids=name_of)
def test_pairs_are_alike_in_strength_as_often_if_they_share_a_way_as_if_not(specification: Specification) -> None:
    strong = profiles(specification)
    assert (strong[0] == strong[1]) != (strong[2] == strong[3])
    assert sum(strong[i] == strong[j] for i in (0, 1) for j in (2, 3)) == 2


@pytest.mark.parametrize("listed", FAMILIES.values(), ids=FAMILIES)
def test_what_the_own_network_reads_is_strong_in_half_of_the_tasks(listed: list[Specification]) -> None:
    strong = [profiles(s)[0] for s in listed if s.variant != PLAIN]
    assert abs(2 * sum(strong) - len(strong)) <= 1


@pytest.mark.parametrize("listed", FAMILIES.values(), ids=FAMILIES)
def test_names_and_seeds_tell_nothing(listed: list[Specification]) -> None:
    assert max(Counter(s.name for s in listed).values()) == 1
    seeds = [member.seed + start for s in listed for member in s.members(0) for start in range(5)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in listed for member in s.members(1)}
    parts: dict[str, set[int]] = {}
    for specification in listed:
        for part, member in enumerate(specification.members(0)[1:]):
            parts.setdefault(member.name, set()).add(part)
    assert all(len(found) > 1 for found in parts.values())
