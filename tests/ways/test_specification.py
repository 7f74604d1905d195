"""The lists: neither names, seeds, lengths nor strengths tell which way is planted, or which networks share one."""

from itertools import combinations

import pytest
from sklearn.metrics import roc_auc_score

from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.specification import OWN
from peabench_tasks.ways.kinds import OF_A_KIND
from peabench_tasks.ways.specification import Specification

SEEDS = range(20)


def test_no_two_crossed_tasks_are_about_one_table() -> None:
    tables = [specification.table for specification in Distributive.listed() if specification.variant == "crossed"]
    assert len(set(tables)) == len(tables) >= 5
    assert set(tables) <= set(TABLES)


@pytest.mark.parametrize("family", [SparseParity, MultitaskParity])
def test_every_kind_is_the_truth_of_one_crossed_task(family: type[Specification]) -> None:
    turns = [s.truths[0] // OF_A_KIND for s in family.listed() if s.variant == "crossed"]
    assert sorted(turns) == [0, 1, 2]


def test_plain_tasks_have_alike_and_unlike_networks_and_one_that_was_only_shown_outputs(
    family_tasks: list[Specification],
) -> None:
    for specification in family_tasks:
        members, truths = specification.members(0), specification.truths
        assert members[0].name == OWN
        assert members[0].truth == truths[0]
        assert len(set(truths)) == len(truths) == (2 if specification.variant == "crossed" else 3)
        if specification.variant == "plain":
            assert [member.truth for member in members] == [truths[0], *truths, None]
            assert all(member.beside is None and member.strong is None for member in members)


def test_to_rank_pairs_by_strength_earns_nothing(crossed_tasks: list[Specification]) -> None:
    for specification in crossed_tasks:
        for seed in SEEDS[:5]:
            pairs = list(combinations(specification.members(seed), 2))
            share = [one.truth == other.truth for one, other in pairs]
            alike = [one.strong == other.strong for one, other in pairs]
            assert len(pairs) == 6
            assert sum(share) == 2
            assert roc_auc_score(share, alike) == 0.5
            both = set(specification.truths)
            assert all(
                {member.truth, member.beside} == both and member.strong in both for one in pairs for member in one
            )


def test_what_own_networks_read_is_strong_in_half_of_the_tasks(crossed_tasks: list[Specification]) -> None:
    for seed in SEEDS:
        own = [specification.members(seed)[0] for specification in crossed_tasks]
        strong = sum(member.strong == member.truth for member in own)
        assert abs(2 * strong - len(own)) <= 1


def test_which_way_has_two_networks_alike_is_a_coin(crossed_tasks: list[Specification]) -> None:
    outcomes = set()
    for specification in crossed_tasks:
        for seed in SEEDS:
            own, *others = specification.members(seed)
            (same,) = [other for other in others if other.truth == own.truth]
            unlike = {other.strong == own.truth for other in others if other is not same}
            outcomes.add((same.strong == own.strong, own.strong == own.truth, frozenset(unlike)))
    assert len(outcomes) == 6


def test_no_two_networks_share_a_seed(family_tasks: list[Specification]) -> None:
    seeds = [member.seed + 10 * start for s in family_tasks for member in s.members(0) for start in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in family_tasks for member in s.members(1)}


def test_a_companion_s_name_does_not_tell_its_part(family_tasks: list[Specification]) -> None:
    parts: dict[str, set[int]] = {}
    for specification in family_tasks:
        for seed in SEEDS:
            for part, member in enumerate(specification.members(seed)[1:]):
                parts.setdefault(member.name, set()).add(part)
    assert all(len(found) > 1 for found in parts.values())


def test_other_seeds_draw_other_networks_for_the_same_questions(family_tasks: list[Specification]) -> None:
    for specification in family_tasks:
        own, other = specification.members(0)[0], specification.members(1)[0]
        assert own.truth == other.truth
        assert own.seed != other.seed
        plans = [specification.plan(member) for member in (own, other)]
        assert set(plans[0].core.gates) == set(plans[1].core.gates)
        assert plans[0].units != plans[1].units or plans[0].formula.gates != plans[1].formula.gates


def test_a_function_s_letters_are_drawn_anew_for_each_task(family_tasks: list[Specification]) -> None:
    assert len({tuple(specification.inputs.values()) for specification in family_tasks}) > len(family_tasks) / 2


def test_to_bet_on_the_shortest_formula_earns_nothing() -> None:
    earned = []
    for specification in Distributive.listed():
        lengths = [sum(1 + len(gate.operands) for gate in term.subterms()) for term in specification.ways]
        own = lengths[specification.truths[0]]
        rank = sum(length < own for length in lengths) + (lengths.count(own) + 1) / 2
        chance = sum(1 / place for place in range(1, len(lengths) + 1)) / len(lengths)
        earned.append((1 / rank - chance) / (1 - chance))
    assert abs(sum(earned) / len(earned)) < 0.15
    assert min(earned) < 0 < max(earned)
