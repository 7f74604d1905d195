"""Tasks of the track `beliefs`: the object that a policy wants to reach is the state that is asked about."""

from dataclasses import dataclass

from peabench.domain import ProductDomain
from peabench.mechanism import Category, CausalModel
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.audits.audit import ANSWER, inputs
from peabench_tasks.goals.boards import AGENT, TARGET, towards
from peabench_tasks.goals.maze import MOVES, Maze
from peabench_tasks.units.beliefs import BAIT, FEW, with_shadow
from peabench_tasks.units.codes import dimension
from peabench_tasks.units.lookup import lookup
from peabench_tasks.units.plan import Plan, draw_plan

OBJECTS = 3
GOAL = "goal"
"""Which of the objects the policy goes for."""
LAMP, DIAL = OBJECTS + 1, OBJECTS + 2
"""Columns behind those of the agent and the objects."""
EXAMPLES = {"decoy": 64, "few": 28}
"""Boards that a scorer is shown, by variant."""
DIFFICULTY = {"decoy": BAIT, "few": FEW}
STRENGTHS = 0.5, 1.0
"""Of what the policy computes, and of a second account of its goal that it does not read."""
D_HIDDEN = 32
N_BLOCKS = 5
REST = 4
"""Directions of the residual stream that hold no variable."""


@dataclass(frozen=True)
class Wanted:
    """One task: a policy on a grid."""

    maze: Maze
    variant: str
    """As in the family `board`."""
    seed: int
    size: str = "xs"

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def state(self) -> str:
        """The variable that is asked about."""
        return GOAL

    @property
    def examples(self) -> int:
        """Boards that scorers are shown."""
        return EXAMPLES[self.variant]

    @property
    def difficulty(self) -> str:
        """Why the task is hard, in words."""
        return DIFFICULTY[self.variant]

    @property
    def description(self) -> str:
        """What the network does, and what is asked about, in words."""
        return (
            "Moves on a grid with walls, the shortest way to one of three objects: columns are where the agent and the "
            "objects are, a lamp that names an object, and a dial that says how many objects further on the one is "
            f"that counts. Asked about: {GOAL}, the object that the policy goes for."
        )

    @property
    def domain(self) -> ProductDomain:
        """Every board."""
        return ProductDomain(sizes=(self.maze.cells,) * (1 + OBJECTS) + (OBJECTS,) * 2)

    @property
    def network(self) -> ResidualMLPConfig:
        """As narrow as holds all variables."""
        sizes, kinds = self.domain.sizes, list(policy(self.maze).kinds.values())
        return ResidualMLPConfig(
            n_inputs=len(sizes),
            d_model=sum(map(dimension, [*kinds, Category(values=OBJECTS)])) + REST,
            n_blocks=N_BLOCKS,
            n_units=2,
            d_hidden=D_HIDDEN,
            d_output=len(MOVES),
            words=tuple((sum(sizes[:i]), size) for i, size in enumerate(sizes)),
        )

    def plan(self, seed: int) -> Plan:
        """Where the variables go, and a second account of the goal that nobody reads."""
        model = policy(self.maze)
        return draw_plan(model, with_shadow(model, GOAL), self.network, seed, STRENGTHS)


def policy(maze: Maze) -> CausalModel:
    """Of three objects it goes for the one that the lamp names, moved on by as many as the dial says."""
    cell, number = Category(values=maze.cells), Category(values=OBJECTS)
    columns = inputs([cell] * (1 + OBJECTS) + [number] * 2)
    objects = columns[AGENT + 1 : LAMP]
    goal = lookup(GOAL, number, (columns[LAMP], columns[DIAL]), lambda lamp, dial: (lamp + dial) % OBJECTS)
    target = lookup(TARGET, cell, (goal, *objects), lambda wanted, *cells: cells[wanted])
    return CausalModel(variables=(*columns, goal, target, towards(maze, columns[AGENT], target)), output=ANSWER)
