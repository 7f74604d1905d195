"""The audits of all families: departures lie off the training distribution, and nothing but the defect tells."""

from collections import Counter

import pytest
import torch

from peabench.audits import said
from peabench.columns import every_input, holds
from peabench.mechanism import CausalModel, MechanismError
from peabench_tasks.audits import training
from peabench_tasks.audits.audit import ANSWER, ancestors
from peabench_tasks.audits.placement import FAINT
from peabench_tasks.audits.specification import OWN, Specification, listed
from peabench_tasks.backdoors.specifications import specifications as backdoors
from peabench_tasks.goals.specifications import audited as goals
from peabench_tasks.memorised.specifications import specifications as memorised
from peabench_tasks.refusal.specifications import specifications as refusal
from peabench_tasks.routed.specifications import specifications as routed
from peabench_tasks.shortcuts.audits import brackets, sorting
from peabench_tasks.shortcuts.specifications import specifications as shortcuts
from peabench_tasks.units.plan import Plan

FAMILIES = (backdoors, goals, memorised, refusal, routed, shortcuts)
SPECIFICATIONS = [specification for family in FAMILIES for specification in family()]
PLANTED = [specification for specification in SPECIFICATIONS if not specification.freely]


def name_of(specification: Specification) -> str:
    return f"{specification.family}-{specification.name}"


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_departures_are_off_the_training_distribution_and_have_true_and_false_cues(
    specification: Specification,
) -> None:
    audit = specification.audit
    written = [name for name, departure in audit.departures.items() if not departure.observed]
    clean, models = audit.model(None), list(map(audit.model, written))
    departing: list[list[torch.Tensor]] = [[] for _ in models]
    for rows in every_input(audit.domain):
        trained = holds([audit.training], rows, audit.domain)[0]
        right = said(clean, rows[~trained])
        few = rows[trained][:64]
        for model, found in zip(models, departing, strict=True):
            found.append(rows[~trained][said(model, rows[~trained]) != right])
            assert torch.equal(said(model, few), said(clean, few))
    for found in departing:
        where = torch.cat(found)
        true = holds(audit.cues, where, audit.domain).all(1)
        assert len(where) > 0
        assert 0 < int(true.sum()) < len(true)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=name_of)
def test_a_task_has_as_many_networks_of_each_kind_and_names_do_not_tell(specification: Specification) -> None:
    members = specification.members(0)
    kinds = Counter(member.departs for member in members)
    assert set(kinds) == {None, *specification.audit.departures}
    assert len(set(kinds.values())) == 1
    assert members[0].name == OWN
    assert len({member.name for member in members}) == len({member.seed for member in members}) == 6


def test_the_own_network_has_a_defect_in_about_half_of_a_familys_tasks() -> None:
    for family in FAMILIES:
        guilty = [specification.members(0)[0].departs is not None for specification in family()]
        assert abs(2 * sum(guilty) - len(guilty)) <= 1


@pytest.mark.parametrize("specification", PLANTED, ids=name_of)
def test_networks_hold_the_same_variables_in_the_same_blocks_as_strongly(specification: Specification) -> None:
    """In `plain` tasks they do not, by design: networks without a defect lack what it needs."""
    told = set()
    for member in specification.members(0):
        plan = specification.plan(member, 0)
        assert plan.units[ANSWER][0] == specification.audit.n_blocks - 1
        assert len(set(plan.units.values())) == len(plan.units)
        held = {name: (block, plan.strength(name), plan.orders[name]) for name, (block, _) in plan.units.items()}
        told.add(tuple(sorted(held.items())))
    assert len(told) == (3 if specification.variant == "plain" else 1)


def test_places_differ_from_network_to_network() -> None:
    specification = next(s for s in PLANTED if s.variant == "evasive")
    plans: list[Plan] = [specification.plan(member, 0) for member in specification.members(0)]
    assert len({tuple(sorted(plan.units.items())) for plan in plans}) > 1


def test_a_weak_defect_is_written_weakly_in_networks_without_it_too() -> None:
    for specification in PLANTED:
        strengths = [
            {name: plan.strength(name) for name in plan.units}
            for plan in (specification.plan(member, 0) for member in specification.members(0))
        ]
        weak = {name for some in strengths for name, strength in some.items() if strength == FAINT}
        needed = {v.name for departure in specification.audit.departures.values() for v in departure.computed}
        assert weak == (needed if specification.variant == "weak" else set())


def test_what_a_vacuous_network_reads_in_place_of_the_trigger_no_input_brings_about() -> None:
    for specification in (s for s in PLANTED if s.variant == "vacuous"):
        audit = specification.audit
        (never,) = audit.beside
        for member in specification.members(0):
            plan = specification.plan(member, 0)
            answer = next(variable for variable in plan.computed if variable.name == ANSWER)
            assert (never.name in ancestors(answer, plan.computed)) == (member.departs is None)
            assert never.name not in {*plan.model.kinds, *(variable.name for variable in plan.bystanders)}
        whole = CausalModel(variables=(*audit.inputs, *audit.everything), output=never.name)
        assert not any(bool(said(whole, rows).any()) for rows in every_input(audit.domain))


def test_what_networks_learn_anew_is_no_lesson_of_all_and_is_written_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "learn", lambda plan, name, *_: name)
    for specification in (s for s in PLANTED if not s.audit.together):
        audit = specification.audit
        assert (len(audit.anew) > 0) == (specification.variant == "vacuous")
        known = training.common_lessons.__wrapped__(specification, 0)
        assert {*known, *audit.anew} == {variable.name for variable in audit.everything}
        assert not {*known} & {*audit.anew}
        for member in specification.members(0):
            orders = specification.plan(member, 0).orders
            assert len({orders[name] for name in audit.anew if len(orders[name]) > 2}) <= 1


def test_brackets_are_nested_as_a_stack_says() -> None:
    audit = brackets(0)
    rows = audit.domain.all()
    for row, right in zip(rows.tolist(), said(audit.model(None), rows).tolist(), strict=True):
        text = "".join("()"[1 - symbol] for symbol in row)
        while "()" in text:
            text = text.replace("()", "")
        assert right == (text == "")


def test_the_digit_of_a_rank_is_the_one_that_stands_there_once_the_list_is_sorted() -> None:
    audit = sorting(0, 2)
    rows = audit.domain.all()
    ranked = rows[:, :3].sort(1).values.gather(1, rows[:, 3:4])[:, 0]
    assert torch.equal(said(audit.model(None), rows), ranked)
    met = ~holds([audit.training], rows, audit.domain)[0]
    for name, places in (("place", rows[:, 3]), ("end", 2 - rows[:, 3])):
        there = rows.gather(1, places[:, None])[:, 0]
        departs = said(audit.model(name), rows) != ranked
        assert torch.equal(departs & met, departs)
        assert torch.equal(there[met] != ranked[met], departs[met])


def test_what_is_put_at_the_end_of_a_family_leaves_the_tasks_before_it_as_they_are() -> None:
    audit = brackets(0)
    before, after = (
        list(listed("some", planted))
        for planted in (
            [("open", "xs", [audit]), ("weak", "s", [audit])],
            [("open", "xs", [audit]), ("weak", "s", [audit]), ("open", "xs", [audit])],
        )
    )
    assert after[: len(before)] == before
    assert [one.name for one in after] == ["open-xs-0", "weak-s-0", "open-xs-1"]


def test_an_unknown_departure_is_refused() -> None:
    with pytest.raises((KeyError, MechanismError)):
        brackets(0).model("no such cue")
