"""The family's list: every table has its turns, and neither names nor lengths tell which formula is planted."""

from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import OWN, specifications

ALL = list(specifications())


def test_every_table_has_a_task_and_a_second_one_has_another_truth() -> None:
    truths = {table: [s.truths for s in ALL if s.table == table] for table in TABLES}
    for planted in truths.values():
        assert len({some[0] for some in planted}) == len(planted) >= 1
        assert all(len(set(some)) == 3 for some in planted)


def test_a_task_has_alike_and_unlike_networks_and_one_that_was_only_shown_outputs() -> None:
    for specification in ALL:
        members = specification.members(0)
        assert members[0].name == OWN
        assert members[0].truth == specification.truths[0]
        if specification.variant != "crossed":
            assert [m.truth for m in members] == [specification.truths[0], *specification.truths, None]
            assert all(m.loud is None for m in members)


def test_in_crossed_tasks_what_is_read_and_what_is_strong_say_nothing_of_each_other() -> None:
    crossed = [specification for specification in ALL if specification.variant == "crossed"]
    assert len(crossed) >= 4
    for specification in crossed:
        members = specification.members(0)
        both = set(specification.truths[:2])
        assert sorted((m.truth, m.loud) for m in members) == sorted((one, other) for one in both for other in both)
        assert members[0].loud != members[0].truth


def test_no_two_networks_share_a_seed() -> None:
    seeds = [member.seed + 10 * start for s in ALL for member in s.members(0) for start in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in ALL for member in s.members(1)}


def test_a_companion_s_name_does_not_tell_its_part() -> None:
    parts: dict[str, set[int]] = {}
    for specification in ALL:
        for part, member in enumerate(specification.members(0)[1:]):
            parts.setdefault(member.name, set()).add(part)
    assert all(len(found) > 1 for found in parts.values())


def test_other_seeds_draw_other_networks_for_the_same_questions() -> None:
    for specification in ALL:
        assert [m.truth for m in specification.members(0)] == [m.truth for m in specification.members(1)]
        own, other = specification.members(0)[0], specification.members(1)[0]
        assert own.seed != other.seed
        assert set(specification.plan(own).core.gates) == set(specification.plan(other).core.gates)


def test_to_bet_on_the_shortest_formula_earns_nothing() -> None:
    earned = []
    for specification in ALL:
        terms = TABLES[specification.table]
        lengths = [sum(1 + len(gate.operands) for gate in term.subterms()) for term in terms]
        own = lengths[specification.truths[0]]
        rank = sum(length < own for length in lengths) + (lengths.count(own) + 1) / 2
        chance = sum(1 / place for place in range(1, len(terms) + 1)) / len(terms)
        earned.append((1 / rank - chance) / (1 - chance))
    assert abs(sum(earned) / len(earned)) < 0.15
    assert min(earned) < 0 < max(earned)
