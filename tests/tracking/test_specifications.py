"""The family's list: two ways a task, two networks each, and strengths that say nothing of what is read."""

from peabench_tasks.tracking.specifications import specifications
from peabench_tasks.units.specification import OWN

LISTED = list(specifications())


def test_a_task_has_two_networks_of_each_of_two_ways() -> None:
    for specification in LISTED:
        members = specification.members(0)
        own, other = specification.truths
        assert own != other
        assert members[0].name == OWN
        assert [member.truth for member in members] == [own, own, other, other]
        if specification.variant == "plain":
            assert {member.bait for member in members} == {None}
        else:
            assert [member.bait for member in members] == [other, other, own, own]


def test_what_is_strong_is_as_often_what_is_read_as_what_is_not() -> None:
    for specification in LISTED:
        if specification.variant != "plain":
            for way in specification.truths:
                strengths = [m.strengths for m in specification.members(0) if m.truth == way]
                assert strengths[0] == strengths[1][::-1]
                assert strengths[0][0] != strengths[0][1]


def test_no_two_networks_share_a_seed_and_tasks_have_other_truths() -> None:
    seeds = [member.seed + start for s in LISTED for member in s.members(0) for start in range(5)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in LISTED for member in s.members(1)}
    assert len({s.truths[0] for s in LISTED}) > len(LISTED) / 2
    assert len({s.name for s in LISTED}) == len(LISTED)


def test_a_companion_s_name_does_not_tell_its_part() -> None:
    parts: dict[str, set[int]] = {}
    for specification in LISTED:
        for part, member in enumerate(specification.members(0)[1:]):
            parts.setdefault(member.name, set()).add(part)
    assert all(len(found) > 1 for found in parts.values())
