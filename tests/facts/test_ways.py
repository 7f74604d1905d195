"""Facts as they are drawn, and the ways to answer from them, against a plain look at the facts."""

from collections.abc import Sequence

import pytest
import torch

from peabench_tasks.facts import latent_rule, reversal, two_hop
from peabench_tasks.units.algorithm import Algorithm


def answers(algorithm: Algorithm, rows: Sequence[tuple[int, ...]]) -> list[int]:
    """What a way says."""
    model = algorithm.model
    said: list[int] = model.run(model.read_inputs(torch.tensor(rows)))[model.output].tolist()
    return said


@pytest.mark.parametrize("seed", range(3))
def test_two_hops_lead_where_the_facts_say(seed: int) -> None:
    facts = two_hop.Facts.drawn(seed)
    rows = [(e, r, s) for e in range(16) for r in range(3) for s in range(3)]
    wanted = [facts.answers[s][facts.bridges[r][e]] for e, r, s in rows]
    for algorithm in two_hop.algorithms(facts):
        assert answers(algorithm, rows) == wanted
    for leads in facts.bridges:
        assert {leads.count(bridge) for bridge in range(6)} == {2, 3}
    assert all(sorted(said) == list(range(6)) for said in facts.answers)


def test_what_is_known_by_heart_has_no_middle() -> None:
    for sets, shared in ((two_hop.Facts.drawn(0).known, {4, 5}), (reversal.Facts.drawn(0).known, {0, 2})):
        known = [set(some) for some in sets.values()]
        common = [sorted(len(one & other) for other in known if other != one) for one in known]
        assert all(some == common[0] for some in common)
        assert set(common[0]) == shared


def test_backwards_is_forwards_of_the_converse() -> None:
    facts = reversal.Facts.drawn(1)
    rows = [(d, r, n) for d in range(2) for r in range(8) for n in range(8)]
    for relation in range(8):
        assert sorted(facts.partners[relation]) == list(range(8))
        for name in range(8):
            assert facts.backwards(relation, facts.forwards(relation, name)) == name
            assert facts.partners[relation ^ 1][facts.partners[relation][name]] == name
    wanted = [facts.partners[r].index(n) if d else facts.partners[r][n] for d, r, n in rows]
    for algorithm in reversal.algorithms(facts):
        assert answers(algorithm, rows) == wanted


def test_every_line_is_found_from_any_two_of_its_points() -> None:
    rows, wanted = [], []
    for slope in range(3):
        for intercept in range(3):
            line = [(slope * x + intercept) % 3 for x in range(3)]
            for x1 in range(3):
                for x2 in set(range(3)) - {x1}:
                    rows += [(x1, line[x1], (x2 - x1) % 3 - 1, line[x2], x) for x in range(3)]
                    wanted += line
    assert len(set(rows)) == 162
    for algorithm in latent_rule.algorithms():
        assert answers(algorithm, rows) == wanted
