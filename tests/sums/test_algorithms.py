"""Ten ways to one carry, of which none is a part of another."""

from itertools import combinations

import torch

from peabench.certification.claims import same_claim
from peabench_tasks.sums.algorithms import ALGORITHMS, CORNERS, MAKE, PASS, STOP, effect
from peabench_tasks.sums.specifications import QUESTION
from peabench_tasks.units.algorithm import claim
from peabench_tasks.units.codes import corners


def test_all_ways_give_the_carry_and_a_name_means_one_function() -> None:
    rows = QUESTION.domain.all()
    places = torch.tensor([9, 3, 1])
    wanted = rows[:, :3] @ places + rows[:, 3:] @ places >= 27
    known: dict[str, torch.Tensor] = {}
    for algorithm in ALGORITHMS:
        values = algorithm.model.run(algorithm.model.read_inputs(rows))
        assert torch.equal(values["answer"], wanted)
        for name in algorithm.model.inner:
            assert torch.equal(known.setdefault(name, values[name]), values[name])


def test_no_way_is_a_part_of_another_and_no_two_claim_the_same() -> None:
    assert len(ALGORITHMS) == 10
    for one, other in combinations(ALGORITHMS, 2):
        assert not set(one.model.inner) <= set(other.model.inner)
        assert not set(other.model.inner) <= set(one.model.inner)
    assert same_claim(claim(ALGORITHMS, "ripple").hypotheses, QUESTION.domain) is None


def test_no_direction_orders_the_sums_by_what_they_do_to_a_carry() -> None:
    where = corners(5)[list(CORNERS["s1"])]
    for what in (STOP, MAKE):
        alike = [total for total in range(5) if effect(total) == what]
        assert torch.equal(where[alike].sum(0), torch.zeros(3))
    assert [total for total in range(5) if effect(total) == PASS] == [2]
