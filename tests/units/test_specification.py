"""The families' lists: two ways a task, two networks each, and strengths that say nothing of what is read."""

import pytest

from peabench_tasks.sums.specifications import specifications as sums
from peabench_tasks.tracking.specifications import specifications as tracking
from peabench_tasks.units.specification import OWN, Specification

FAMILIES = [list(tracking()), list(sums())]


@pytest.mark.parametrize("listed", FAMILIES, ids=["tracking", "sums"])
def test_a_task_has_two_networks_of_each_of_two_ways(listed: list[Specification]) -> None:
    for specification in listed:
        members = specification.members(0)
        own, other = specification.truths
        assert own != other
        assert members[0].name == OWN
        assert [member.truth for member in members] == [own, own, other, other]
        if specification.variant == "plain":
            assert {member.bait for member in members} == {None}
        else:
            assert [member.bait for member in members] == [other, other, own, own]


@pytest.mark.parametrize("listed", FAMILIES, ids=["tracking", "sums"])
def test_what_is_strong_is_as_often_what_is_read_as_what_is_not(listed: list[Specification]) -> None:
    for specification in listed:
        if specification.variant != "plain":
            for way in specification.truths:
                strengths = [m.strengths for m in specification.members(0) if m.truth == way]
                assert strengths[0] == strengths[1][::-1]
                assert strengths[0][0] != strengths[0][1]


@pytest.mark.parametrize("listed", FAMILIES, ids=["tracking", "sums"])
def test_no_two_networks_share_a_seed_and_tasks_have_other_truths(listed: list[Specification]) -> None:
    seeds = [member.seed + start for s in listed for member in s.members(0) for start in range(5)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in listed for member in s.members(1)}
    assert len({s.truths[0] for s in listed}) > len(listed) / 2
    assert len({s.name for s in listed}) == len(listed)


def test_a_companion_s_name_does_not_tell_its_part() -> None:
    parts: dict[str, set[int]] = {}
    for specification in (s for listed in FAMILIES for s in listed):
        for part, member in enumerate(specification.members(0)[1:]):
            parts.setdefault(member.name, set()).add(part)
    assert all(len(found) > 1 for found in parts.values())
