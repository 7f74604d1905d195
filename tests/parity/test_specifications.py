"""The lists: every kind of way has its turn, and neither names, seeds nor lengths tell which way is planted."""

from peabench_tasks.distributive.specifications import OWN
from peabench_tasks.parity.specification import Specification


def test_every_kind_is_the_truth_equally_often(family_tasks: list[Specification]) -> None:
    turns: dict[str, list[int]] = {}
    for specification in family_tasks:
        turns.setdefault(specification.variant, []).append(specification.truths[0] // specification.shape.of_a_kind)
    assert all(sorted(some) == [0, 1, 2] for variant, some in turns.items() if variant != "beside")


def test_a_task_s_networks(family_tasks: list[Specification]) -> None:
    for specification in family_tasks:
        own, *others = specification.members(0)
        assert own.name == OWN
        assert own.truth == specification.truths[0]
        assert (own.bait is None) == (specification.variant == "plain")
        assert own.bait != own.truth
        if specification.variant != "beside":
            assert others == []
            continue
        assert sorted(other.name for other in others) == ["n1", "n2", "n3", "n4"]
        *planted, shown = [own, *others]
        assert (shown.truth, shown.bait) == (None, None)
        looks = {(member.truth, member.strengths) for member in planted}
        assert len(looks) == 4
        assert {(member.truth, member.bait) for member in planted} == {(own.truth, own.bait), (own.bait, own.truth)}


def test_no_two_networks_share_a_seed(family_tasks: list[Specification]) -> None:
    seeds = [member.seed + 10 * start for s in family_tasks for member in s.members(0) for start in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & {member.seed for s in family_tasks for member in s.members(1)}


def test_another_seed_draws_other_places_for_the_same_question(family_tasks: list[Specification]) -> None:
    for specification in family_tasks:
        own, other = specification.members(0)[0], specification.members(1)[0]
        assert own.truth == other.truth
        assert own.seed != other.seed
        assert specification.plan(own).core.gates == specification.plan(other).core.gates


def test_what_reads_inputs_alone_is_in_the_first_block(family_tasks: list[Specification]) -> None:
    for specification in family_tasks:
        plan = specification.plan(specification.members(0)[0])
        assert {plan.units[gate.name][0] for gate in plan.core.gates[:-1]} == {0}
        assert plan.units["output"][0] > 0
