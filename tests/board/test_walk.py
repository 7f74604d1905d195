"""The walk on a grid with walls: where it leads, by the drawing itself, and that places can be told apart."""

import pytest
import torch
from sklearn.linear_model import LinearRegression

from peabench.belief_states import read_at, states
from peabench.interventions import run_with_cache
from peabench.tasks import load_task
from peabench.tracks.beliefs import TRACK, BeliefAnswer
from peabench_tasks.board.family import BOARD
from peabench_tasks.board.specifications import Specification, specifications
from peabench_tasks.board.walk import Grid, walk
from peabench_tasks.goals.maze import Maze

WALKS = [specification for specification in specifications() if specification.grid is not None]
SHIPPED = [specification for specification in WALKS if (BOARD.checkpoints / specification.name).exists()]
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))


def name_of(specification: Specification) -> str:
    return specification.name


def grid_of(specification: Specification) -> Grid:
    assert specification.grid is not None
    return specification.grid


def led_to(drawn: tuple[str, ...], place: int, direction: int) -> int:
    """By the text alone, framed in blanks."""
    framed = [" " * 9, *(f" {row} " for row in drawn), " " * 9]
    row, column = 1 + 2 * (place // 4), 1 + 2 * (place % 4)
    down, right = STEPS[direction]
    free = framed[row + down][column + right] != " "
    return place + free * (4 * down + right)


@pytest.mark.parametrize("specification", WALKS, ids=name_of)
def test_walls_and_the_edge_stop_the_walker(specification: Specification) -> None:
    grid = grid_of(specification)
    assert sum(row.count("-") + row.count("|") for row in grid.maze.drawn) == 24 - 7
    rows = specification.domain.all()
    model = specification.model
    run = model.run(model.read_inputs(rows))
    expected = torch.tensor([[led_to(grid.maze.drawn, place, step) for step in range(4)] for place in range(16)])
    place = rows[:, 0]
    for i, moves in enumerate(rows[:, 1:].T, start=1):
        place = expected[place, moves]
        if f"place{i}" in run:
            assert torch.equal(run[f"place{i}"], place)
    assert torch.equal(run["floor"], torch.tensor(grid.floor)[place])


@pytest.mark.parametrize("specification", WALKS, ids=name_of)
def test_all_places_occur_and_what_is_stepped_on_next_tells_them_apart(specification: Specification) -> None:
    model, rows = specification.model, specification.domain.all()
    run = model.run(model.read_inputs(rows))
    ahead = dict[int, dict[int, int]]()
    for place, direction, floor in zip(run["place2"].tolist(), rows[:, 3].tolist(), run["floor"].tolist(), strict=True):
        ahead.setdefault(place, {})[direction] = floor
    assert len(ahead) == len({tuple(sorted(one.items())) for one in ahead.values()}) == 16


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_the_best_that_the_tokens_tell_earns_nothing(specification: Specification) -> None:
    """Whoever draws inputs by the definition has more of them than the question shows, and so have the controls."""
    task = load_task(BOARD.checkpoints / specification.name)
    (question,) = TRACK.questions(task, 0)
    rows = specification.domain.all()
    embedded = read_at(question.network, run_with_cache(question.network, rows), question.sites[0])[:, 0]
    fitted = LinearRegression().fit(embedded.numpy(), states(question.tracked, rows)[:, 0].numpy())
    matrix, offset = torch.from_numpy(fitted.coef_.T).float(), torch.from_numpy(fitted.intercept_).float()
    metrics = TRACK.grade(task, 0, question, BeliefAnswer(question.sites[0], matrix, offset))
    assert 0.15 < metrics["r2"] <= metrics["control"] + 0.01 < 0.5
    assert metrics["score"] < 0.01


def test_grids_on_which_places_are_alike_or_out_of_reach_are_not_drawn() -> None:
    grid = grid_of(WALKS[0])
    assert grid.told_apart
    assert not Grid(grid.maze, (0,) * 16).told_apart
    assert not Grid(Maze(("o o o o", " " * 7) * 3 + ("o o o o",)), grid.floor).told_apart


def test_every_task_has_a_grid_of_its_own() -> None:
    assert len({grid_of(specification) for specification in WALKS}) == len(WALKS)
    assert walk(grid_of(WALKS[0])) == walk(grid_of(Specification(WALKS[0].variant, "s", 0)))
