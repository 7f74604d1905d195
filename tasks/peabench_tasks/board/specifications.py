"""Which tasks the family has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.board.cups import cups_and_ball
from peabench_tasks.board.walk import Grid, draw_grid, walk
from peabench_tasks.units.beliefs import BAIT, FEW, SHADOW, with_shadow
from peabench_tasks.units.codes import dimension, values_of
from peabench_tasks.units.plan import Plan, draw_plan

FAMILY = "board"
WALK = "walk"
"""Beginning of the variants in which somebody walks on a grid; in the others cups are exchanged."""
DIFFICULTY = {"plain": "", "decoy": BAIT, "few": FEW, WALK: "", f"{WALK}_decoy": BAIT, f"{WALK}_few": FEW}
REDRAWN = 10_000
"""What seeds of plans drawn once more are further."""
EXAMPLES = {"plain": 64, "decoy": 64, "few": 24, WALK: 256, f"{WALK}_decoy": 256, f"{WALK}_few": 96}
SEEDS = {"plain": 2, "decoy": 2, "few": 1, WALK: 1, f"{WALK}_decoy": 1, f"{WALK}_few": 1}


@dataclass(frozen=True)
class Specification:
    """One task."""

    variant: str
    size: str
    seed: int

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @cached_property
    def grid(self) -> Grid | None:
        """Where one walks, drawn for each task; None where cups are exchanged."""
        return draw_grid(self.name) if self.variant.startswith(WALK) else None

    @cached_property
    def model(self) -> CausalModel:
        """The game."""
        return cups_and_ball() if self.grid is None else walk(self.grid)

    @property
    def state(self) -> str:
        """The variable that is asked about: where the ball is after two or three exchanges, or the walker after two."""
        return f"ball{2 + self.seed % 2}" if self.grid is None else "place2"

    @property
    def domain(self) -> ProductDomain:
        """Every start with all that may follow."""
        return ProductDomain(sizes=tuple(values_of(self.model.kinds[name]) for name in self.model.inputs))

    @property
    def network(self) -> ResidualMLPConfig:
        """A residual MLP that reads where the ball or the walker is at first, then what follows."""
        sizes, model = self.domain.sizes, self.model
        held = sum(map(dimension, model.kinds.values())) + 2 * dimension(model.kinds[self.state], affine=True)
        return ResidualMLPConfig(
            n_inputs=len(sizes),
            d_model=24 if self.grid is None else held,
            n_blocks=6 if self.grid is None else 4,
            n_units=2,
            d_hidden=20 if self.grid is None else 128,
            d_output=values_of(model.kinds[model.output]),
            words=tuple((sum(sizes[:i]), size) for i, size in enumerate(sizes)),
        )

    @property
    def examples(self) -> int:
        """Inputs that scorers are shown."""
        return EXAMPLES[self.variant]

    @property
    def difficulty(self) -> str:
        """Why the task is hard, in words."""
        return DIFFICULTY[self.variant]

    @property
    def description(self) -> str:
        """The game, and what is asked about, in words."""
        asked = f"Asked about: {self.state}."
        if self.grid is None:
            return f"A ball under one of three cups, four exchanges of two cups; where is the ball? {asked}"
        drawn, colours = " / ".join(self.grid.maze.drawn), ", ".join(map(str, self.grid.floor))
        return (
            "A walk on a grid with walls: where it begins, then moves north, east, south or west, of which walls and "
            "the edge stop some; what colour has the floor where it ends? Rows of the grid, ways between neighbours "
            f"drawn as - and |: {drawn}. Colours, place by place: {colours}. {asked}"
        )

    def plan(self, seed: int) -> Plan:
        """Where the variables go, and the account that nobody reads: wherever the state is held, it is there too."""
        model, bait = self.model, None
        if self.difficulty:
            bait = with_shadow(model, self.state)
        strengths = (1.0, 1.0) if bait is None else (0.5, 1.0)
        plans = (draw_plan(model, bait, self.network, seed + REDRAWN * draw, strengths) for draw in count())
        drawn = next(plan for plan in plans if bait is None or plan.written(SHADOW) <= plan.written(self.state))
        return drawn if self.grid is None else replace(drawn, affine=frozenset({self.state, SHADOW}))


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, seeds in SEEDS.items():
        for seed in range(seeds):
            yield Specification(variant, "s" if variant.startswith(WALK) else "xs", seed)
