"""A walk on a grid with walls: where the walker is after each move, and the colour of the floor where it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from peabench.mechanism import Category, CausalModel, Variable
from peabench_tasks.goals.maze import STEPS, Maze
from peabench_tasks.units.lookup import lookup

SIDE = 4
WALLS = 7
"""Of 24 ways between neighbours, how many a wall stops."""
COLOURS = 4
MOVES = 3
SYMBOLS = "o-", "| "
"""Of places and ways by row and column."""
DIRECTIONS = tuple(STEPS)[1:]
"""North, east, south, west."""


@dataclass(frozen=True)
class Grid:
    """Where the walls are, and the colour of the floor of each place, row by row."""

    maze: Maze
    floor: tuple[int, ...]

    def moved(self, place: int, direction: int) -> int:
        """Where a move leads; a wall or the edge leaves the walker where it is."""
        return dict(self.maze.ways(place)).get(1 + direction, place)

    def stepped_on(self, place: int, direction: int) -> int:
        """Colour of the floor where a move leads."""
        return self.floor[self.moved(place, direction)]

    @property
    def told_apart(self) -> bool:
        """Whether every place can be reached, and what one more move steps on is different wherever it begins."""
        try:
            places = range(len(self.maze.distances))
        except ValueError:
            return False
        ahead = {tuple(self.stepped_on(place, direction) for direction in range(len(DIRECTIONS))) for place in places}
        return len(ahead) == self.maze.cells


def draw_grid(name: str) -> Grid:
    """Walls and colours of a task, as many places of each, drawn until every two places can be told apart."""
    rng = Random(f"grid/{name}")
    return next(grid for grid in _drawn(rng) if grid.told_apart)


def walk(grid: Grid) -> CausalModel:
    """Where the walker is after each move but the last; the colour of the floor behind that is the output."""
    place, direction = Category(values=grid.maze.cells), Category(values=len(DIRECTIONS))
    inputs = [Variable(name="start", kind=place, columns=(0,))]
    inputs += [Variable(name=f"move{i + 1}", kind=direction, columns=(i + 1,)) for i in range(MOVES)]
    where, made = inputs[0], list(inputs)
    for i in range(MOVES - 1):
        where = lookup(f"place{i + 1}", place, (where, inputs[i + 1]), grid.moved)
        made.append(where)
    floor = lookup("floor", Category(values=COLOURS), (where, inputs[MOVES]), grid.stepped_on)
    return CausalModel(variables=(*made, floor), output=floor.name)


def _drawn(rng: Random) -> Iterator[Grid]:
    lines = range(2 * SIDE - 1)
    ways = [(row, column) for row, column in product(lines, repeat=2) if (row + column) % 2]
    colours = [colour for colour in range(COLOURS) for _ in range(SIDE**2 // COLOURS)]
    while True:
        walls = rng.sample(ways, WALLS)
        drawn = tuple("".join(" " if (row, c) in walls else SYMBOLS[row % 2][c % 2] for c in lines) for row in lines)
        yield Grid(Maze(drawn), tuple(rng.sample(colours, len(colours))))
