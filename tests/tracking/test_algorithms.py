"""Ten ways to a product of three and seventeen to one of four; none is a part of another."""

from functools import reduce
from itertools import combinations, permutations

import pytest
import torch

from peabench.certification.claims import same_claim
from peabench_tasks.tracking.permutations import product, sign
from peabench_tasks.tracking.specifications import XS, S
from peabench_tasks.units.algorithm import Algorithm, claim
from peabench_tasks.units.specification import Question

TURNED, SWAPPED = (1, 2, 0), (0, 2, 1)


def composed(*some: tuple[int, ...]) -> tuple[int, ...]:
    return reduce(lambda one, other: tuple(one[i] for i in other), some)


def effects(algorithm: Algorithm, question: Question) -> set[tuple[str, bytes]]:
    """What interchange of each inner variable puts out, on some pairs."""
    generator, model = torch.Generator().manual_seed(0), algorithm.model
    base, source = (model.read_inputs(question.domain.sample(1024, generator)) for _ in range(2))
    there = model.run(source)
    outputs = {name: model.run(base, {name: there[name]})["answer"] for name in model.inner}
    return {(name, output.numpy().tobytes()) for name, output in outputs.items()}


def as_permutations() -> list[tuple[int, ...]]:
    """Each element as r turns after s swaps."""
    found = list[tuple[int, ...]]()
    for swaps in range(2):
        for turns in range(3):
            element: tuple[int, ...] = SWAPPED if swaps else (0, 1, 2)
            for _ in range(turns):
                element = composed(TURNED, element)
            found.append(element)
    return found


def test_the_table_is_that_of_permutations_of_three_things() -> None:
    elements = as_permutations()
    assert set(elements) == set(permutations(range(3)))
    for i, one in enumerate(elements):
        for j, other in enumerate(elements):
            assert elements[product(i, j)] == composed(one, other)
        inversions = sum(one[a] > one[b] for a, b in combinations(range(3), 2))
        assert sign(i) == inversions % 2


@pytest.mark.parametrize("question", [XS, S], ids=["xs", "s"])
def test_all_ways_give_the_product_and_a_name_means_one_function(question: Question) -> None:
    rows = question.domain.all()
    elements = as_permutations()
    products = [composed(*(elements[token] for token in row)) for row in rows.tolist()]
    wanted = [elements.index(whole) for whole in products]
    known: dict[str, torch.Tensor] = {}
    for algorithm in question.algorithms:
        values = algorithm.model.run(algorithm.model.read_inputs(rows))
        assert values["answer"].tolist() == wanted
        for name in algorithm.model.inner:
            assert torch.equal(known.setdefault(name, values[name]), values[name])


@pytest.mark.parametrize("question", [XS, S], ids=["xs", "s"])
def test_no_way_is_a_part_of_another_and_no_two_claim_the_same(question: Question) -> None:
    assert len(question.algorithms) == {3: 10, 4: 17}[len(question.domain.sizes)]
    for one, other in combinations([effects(algorithm, question) for algorithm in question.algorithms], 2):
        assert not one <= other
        assert not other <= one
    assert same_claim(claim(question.algorithms, "left").hypotheses, question.domain) is None
