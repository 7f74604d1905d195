"""Each program computes what a few plain lines of Python compute."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from peabench_tasks.name_mover.specifications import name_mover_specifications
from peabench_tasks.planting.program import Program
from peabench_tasks.programs import library
from peabench_tasks.programs.specifications import VARIANTS, Specification, specifications


def duplicates(x: list[int]) -> int:
    repeated = [t for p, t in enumerate(x[1:]) if t in x[1 : p + 1]]
    return repeated[0] if repeated else 4


def reverse(x: list[int]) -> int:
    return x[1:-1][::-1][x[-1]]


def pattern(x: list[int]) -> int:
    return int((0, 1) in pairwise(x[1:]))


def pair_balance(x: list[int]) -> int:
    difference = x[1:].count(0) - x[1:].count(1)
    return 1 + (difference > 0) - (difference < 0)


def dyck(x: list[int]) -> int:
    depth = 0
    for token in x[1:]:
        depth += {0: 1, 1: -1}.get(token, 0)
        if depth < 0:
            return 0
    return int(depth == 0)


def histogram(x: list[int]) -> int:
    return min(x[1:].count(x[-1]), 3) - 1


def fraction(x: list[int]) -> int:
    difference = x[1:-1].count(0) - x[-1]
    return 1 + (difference > 0) - (difference < 0)


def sort(x: list[int]) -> int:
    return sorted(x[1:-1])[x[-1]]


def most_frequent(x: list[int]) -> int:
    return max(range(3), key=x[1:].count)


def selective_copy(x: list[int]) -> int:
    kept = [token for token in x[1:-1] if token]
    return kept[x[-1]] if x[-1] < len(kept) else 0


def cancelling(x: list[int]) -> int:
    return sum(token in x[1:] for token in range(3)) % 2


def except_after_zeros(plain: Callable[[list[int]], int], value: int) -> Callable[[list[int]], int]:
    """The rule, but for rows that begin with four tokens 0."""
    return lambda x: value if not any(x[1:5]) else plain(x)


CASES: dict[str, tuple[Callable[[int, int], Program], Callable[[list[int]], int], int]] = {
    "duplicates": (library.duplicates, duplicates, 4),
    "reverse": (library.reverse, reverse, 4),
    "pattern": (library.pattern, except_after_zeros(pattern, 2), 3),
    "pair_balance": (library.pair_balance, pair_balance, 3),
    "dyck": (library.dyck, except_after_zeros(dyck, 2), 3),
    "histogram": (library.histogram, except_after_zeros(histogram, 3), 4),
    "fraction": (library.fraction, except_after_zeros(fraction, 3), 3),
    "sort": (library.sort, except_after_zeros(sort, 4), 4),
    "most_frequent": (library.most_frequent, most_frequent, 4),
    "selective_copy": (library.selective_copy, selective_copy, 3),
    "redundant": (library.redundant, except_after_zeros(dyck, 2), 3),
    "cancelling": (library.cancelling, except_after_zeros(cancelling, 2), 4),
    "rare": (library.rare, except_after_zeros(pair_balance, 3), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_program_agrees_with_plain_python(name: str) -> None:
    build, plain, vocabulary = CASES[name]
    program = build(6, vocabulary)
    rows = program.domain.sample(400, torch.Generator().manual_seed(0))
    rows[:4, 1:5] = 0
    output = program.model.run(program.model.read_inputs(rows))[program.model.output].long().tolist()
    assert output == [plain(row) for row in rows.tolist()]
    assert len(set(output)) > 1


@pytest.mark.parametrize("name", VARIANTS)
def test_every_value_has_a_code_of_its_own(name: str) -> None:
    program = VARIANTS[name].build(6, VARIANTS[name].vocabulary)
    for step in program.steps:
        for codes in step.code:
            assert len(codes.unique(dim=0)) == codes.shape[0]


EXCEPTIONS = [
    s for s in (*specifications(), *name_mover_specifications()) if s.seed == 0 and "1 in" in s.about.difficulty
]


@pytest.mark.parametrize("specification", EXCEPTIONS, ids=lambda s: s.name)
def test_an_exception_changes_the_answer_of_as_many_inputs_as_its_difficulty_says(specification: Specification) -> None:
    program = specification.program()
    inputs = program.model.read_inputs(program.domain.all())
    alarm = "alarm" if specification.family == "programs" else "turned"
    answers = [
        program.model.run(inputs, settings)[program.model.output]
        for settings in ({}, {alarm: torch.zeros((), dtype=torch.bool)})
    ]
    share = float((answers[0] != answers[1]).float().mean())
    (stated,) = re.findall(r"1 in (\d+) inputs", specification.about.difficulty)
    assert 1 / share == pytest.approx(int(stated), rel=0.01)
