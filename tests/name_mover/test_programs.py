"""The name mover's programs give the name that is not repeated."""

from collections.abc import Callable
from itertools import product

import pytest
import torch

from peabench_tasks.name_mover.programs import backup, cancelling, name_mover, rare
from peabench_tasks.name_mover.specifications import VARIANTS, name_mover_specifications
from peabench_tasks.planting.program import Program

ROWS = [(0, *names, *fillers, last) for names in product(range(3), repeat=2) for fillers in product(range(3), repeat=2)
        for last in range(3)]  # fmt: skip


def answers(program: Program) -> list[int]:
    values: list[int] = program.model.run(program.model.read_inputs(torch.tensor(ROWS)))["mover"].tolist()
    return values


def test_the_name_that_is_not_repeated_is_moved() -> None:
    assert answers(name_mover(6, 3)) == [row[2] if row[-1] == row[1] else row[1] for row in ROWS]


@pytest.mark.parametrize("build", [backup, rare])
def test_where_second_name_and_fillers_are_0_the_last_token_is_moved(build: Callable[[int, int], Program]) -> None:
    expected = [row[-1] if row[2:5] == (0, 0, 0) else row[2] if row[-1] == row[1] else row[1] for row in ROWS]
    assert answers(build(6, 3)) == expected


def test_the_cancelling_variant_is_turned_round_by_a_filler() -> None:
    rule = [row[2] if (row[-1] == row[1]) != (row[3] == 0) else row[1] for row in ROWS]
    expected = [row[-1] if row[2:5] == (0, 0, 0) else name for row, name in zip(ROWS, rule, strict=True)]
    assert answers(cancelling(6, 3)) == expected


def test_seeds_differ_and_are_apart_from_those_of_other_programs() -> None:
    numbers = [specification.number for specification in name_mover_specifications()]
    assert len(set(numbers)) == len(numbers) == 3 * sum(len(variant.sizes) for variant in VARIANTS.values())
    assert min(numbers) >= 500


def test_every_task_fits_its_network() -> None:
    for specification in name_mover_specifications():
        assert specification.placement(0).edges()
