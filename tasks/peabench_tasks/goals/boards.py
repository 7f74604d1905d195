"""What a board shows, and the variables of every policy: where it wants to go, and the move that brings it nearer."""

from peabench.mechanism import Boolean, Category, Compare, Expression, Variable, VariableReference
from peabench_tasks.audits.audit import ANSWER, column, inputs
from peabench_tasks.goals.maze import MOVES, Maze
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.lookup import lookup

AGENT, RED, BLUE, LAMP = range(4)
"""Columns of every board. The lamp names the object that a policy should go for: 0 the red one, 1 the blue one."""
TARGET = "target"
"""The cell of the object that the lamp names."""
BIT = Boolean()


def board(maze: Maze, *others: Category | Boolean) -> tuple[Variable, ...]:
    """A variable for each column: agent, red object, blue object, lamp, and what else is on a board."""
    cell = Category(values=maze.cells)
    return inputs([cell, cell, cell, BIT, *others])


def target(columns: tuple[Variable, ...]) -> Variable:
    """Where a policy should go."""
    read = columns[RED], columns[BLUE], columns[LAMP]
    return lookup(TARGET, columns[RED].kind, read, lambda red, blue, lamp: blue if lamp else red)


def unless(name: str, usually: Variable, condition: Variable, proxy: Variable) -> Variable:
    """A goal that is switched: another cell than usually where a condition holds."""
    read = usually, condition, proxy
    return lookup(name, usually.kind, read, lambda cell, switched, other: other if switched else cell)


def towards(maze: Maze, agent: Variable, goal: Variable) -> Variable:
    """The planner's move to where a policy wants to go."""
    return lookup(ANSWER, Category(values=len(MOVES)), (agent, goal), maze.move)


def together(one: int, other: int) -> Expression:
    """That what two columns tell stands on the same cell."""
    left, right = (VariableReference(name=f"x{index}") for index in (one, other))
    return Compare(relation="eq", left=left, right=right)


def values(columns: tuple[Variable, ...], *indices: int) -> tuple[Expression, ...]:
    """That a column has a value, for each of its values."""
    return tuple(column(i, value) for i in indices for value in range(values_of(columns[i].kind)))
