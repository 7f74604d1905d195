"""The planner, against shortest ways that SciPy finds."""

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from peabench_tasks.goals.maze import MOVES, STEPS, Maze
from peabench_tasks.goals.specifications import LOOP, RING

MAZES = {"loop": LOOP, "ring": RING}


def adjacent(maze: Maze) -> np.ndarray:
    """Which cells have a way between them, read off the drawing by itself."""
    beside = np.zeros((maze.cells, maze.cells))
    for i, one in enumerate(maze.places):
        for j, other in enumerate(maze.places):
            if abs(one[0] - other[0]) + abs(one[1] - other[1]) == 1:
                row, column = one[0] + other[0], one[1] + other[1]
                beside[i, j] = maze.drawn[row][column] in "-|"
    return beside


@pytest.mark.parametrize("name", MAZES)
def test_ways_are_as_short_as_can_be(name: str) -> None:
    maze = MAZES[name]
    assert np.array_equal(np.array(maze.distances), shortest_path(adjacent(maze), unweighted=True))


@pytest.mark.parametrize("name", MAZES)
def test_following_the_moves_reaches_every_target_in_that_time_and_stays(name: str) -> None:
    maze = MAZES[name]
    for target in range(maze.cells):
        for start in range(maze.cells):
            agent = start
            for _ in range(maze.distance(start, target)):
                assert agent != target
                agent = dict(maze.ways(agent))[maze.move(agent, target)]
            assert agent == target
            assert MOVES[maze.move(agent, target)] == "stay"


def test_of_two_ways_that_are_as_short_the_first_move_of_the_list_is_taken() -> None:
    """From the cell of the ring that is opposite, north and east are as good, and so are others."""
    ties = 0
    for agent in range(RING.cells):
        for target in range(RING.cells):
            shorter = [m for m, cell in RING.ways(agent) if RING.distance(cell, target) < RING.distance(agent, target)]
            ties += len(shorter) == 2
            assert RING.move(agent, target) == min(shorter, default=0)
    assert ties == RING.cells
    assert list(STEPS) == ["stay", "north", "east", "south", "west"]


def test_a_cell_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="expected every cell to be reached"):
        Maze(("o-o", "   ", "o o")).distance(0, 3)
