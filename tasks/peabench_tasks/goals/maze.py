"""Small grids with walls, and the planner that policies are cloned from: shortest ways by breadth-first search."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

STEPS = {"stay": (0, 0), "north": (-1, 0), "east": (0, 1), "south": (1, 0), "west": (0, -1)}
"""Rows and columns that a move goes. Of several moves that begin a shortest way the first one here is taken."""
MOVES = tuple(STEPS)


@dataclass(frozen=True)
class Maze:
    """A grid drawn as text: `o` is a cell, `-` and `|` between two cells a way; what is not drawn is a wall.

    >>> maze = Maze(("o-o", "|  ", "o-o"))
    >>> maze.cells, MOVES[maze.move(1, 3)], maze.distance(1, 3)
    (4, 'west', 3)
    """

    drawn: tuple[str, ...]

    @cached_property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Row and column of each cell, row by row."""
        rows = enumerate(self.drawn)
        return tuple((r // 2, c // 2) for r, row in rows for c, symbol in enumerate(row) if symbol == "o")

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.places)

    def ways(self, cell: int) -> Iterator[tuple[int, int]]:
        """Moves that no wall stops, each with the cell that it leads to."""
        row, column = self.places[cell]
        for move, (down, right) in enumerate(STEPS.values()):
            r, c = 2 * row + down, 2 * column + right
            if move and 0 <= r < len(self.drawn) and 0 <= c < len(self.drawn[r]) and self.drawn[r][c] in "-|":
                yield move, self.places.index((row + down, column + right))

    @cached_property
    def distances(self) -> tuple[tuple[int, ...], ...]:
        """Moves from each cell to each other one, by breadth-first search.

        Raises:
            ValueError: a cell cannot be reached.
        """
        return tuple(self._distances_to(cell) for cell in range(self.cells))

    def distance(self, agent: int, target: int) -> int:
        """Moves on a shortest way."""
        return self.distances[target][agent]

    def move(self, agent: int, target: int) -> int:
        """Number of the first of `MOVES` that begins a shortest way; to stay where the target is reached."""
        nearer = (m for m, cell in self.ways(agent) if self.distance(cell, target) < self.distance(agent, target))
        return next(nearer, 0)

    def _distances_to(self, target: int) -> tuple[int, ...]:
        found = {target: 0}
        reached = [target]
        for cell in reached:
            for _, beyond in self.ways(cell):
                if beyond not in found:
                    found[beyond] = found[cell] + 1
                    reached.append(beyond)
        if len(found) < self.cells:
            raise ValueError(f"expected every cell to be reached from every other, got {sorted(found)} from {target}")
        return tuple(found[cell] for cell in range(self.cells))
