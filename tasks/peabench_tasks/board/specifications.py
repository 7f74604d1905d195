"""Which tasks the family has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from peabench.domain import ProductDomain
from peabench.mechanism import Category, CausalModel, Variable
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.units.lookup import lookup
from peabench_tasks.units.plan import Plan, draw_plan

FAMILY = "board"
CUPS = 3
MOVES = 4
EXCHANGES = ((0, 1), (0, 2), (1, 2))
SHADOW = "shadow"
"""Name of a second account of the state, which nobody reads."""
DIFFICULTY = {
    "plain": "",
    "decoy": "the network also keeps an account of the state that nobody reads, twice as strong as its own",
    "few": "scorers get few inputs, and the network also keeps an account of the state that nobody reads",
}
REDRAWN = 10_000
"""What seeds of plans drawn once more are further."""
EXAMPLES = {"plain": 64, "decoy": 64, "few": 24}
SEEDS = {"plain": 2, "decoy": 2, "few": 1}


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

    @property
    def state(self) -> str:
        """The variable that is asked about: where the ball is after two or three of the four exchanges."""
        return f"ball{2 + self.seed % 2}"

    @property
    def network(self) -> ResidualMLPConfig:
        """A residual MLP that reads where the ball is at first, then the exchanges."""
        return ResidualMLPConfig(
            n_inputs=1 + MOVES,
            d_model=24,
            n_blocks=6,
            n_units=2,
            d_hidden=20,
            d_output=CUPS,
            words=tuple((CUPS * column, CUPS) for column in range(1 + MOVES)),
        )

    @property
    def domain(self) -> ProductDomain:
        """Every start with every four exchanges."""
        return ProductDomain(sizes=(CUPS,) * (1 + MOVES))

    def plan(self, seed: int) -> Plan:
        """Where the variables go, and the account that nobody reads: wherever the state is held, it is there too."""
        model = cups_and_ball()
        bait = None
        if self.variant != "plain":
            parents = [model.variable(name) for name in model.variable(self.state).parents]
            shadow = lookup(SHADOW, Category(values=CUPS), tuple(parents), exchanged)
            bait = model.model_copy(update={"variables": (*model.variables[:-1], shadow, model.variables[-1])})
        strengths = (1.0, 1.0) if bait is None else (0.5, 1.0)
        plans = (draw_plan(model, bait, self.network, seed + REDRAWN * draw, strengths) for draw in count())
        drawn = next(plan for plan in plans if bait is None or plan.written(SHADOW) <= plan.written(self.state))
        return replace(drawn, alarm=None)


def exchanged(cup: int, exchange: int) -> int:
    """Where the ball is once two cups were exchanged.

    >>> [exchanged(cup, 0) for cup in range(3)]
    [1, 0, 2]
    """
    one, other = EXCHANGES[exchange]
    return {one: other, other: one}.get(cup, cup)


def cups_and_ball() -> CausalModel:
    """Where the ball is after each exchange; the last one is the output."""
    cup = Category(values=CUPS)
    inputs = [Variable(name="start", kind=cup, columns=(0,))]
    inputs += [
        Variable(name=f"move{i + 1}", kind=Category(values=len(EXCHANGES)), columns=(i + 1,)) for i in range(MOVES)
    ]
    where, made = inputs[0], list(inputs)
    for i in range(MOVES):
        where = lookup(f"ball{i + 1}", cup, (where, inputs[i + 1]), exchanged)
        made.append(where)
    return CausalModel(variables=tuple(made), output=f"ball{MOVES}")


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, seeds in SEEDS.items():
        for seed in range(seeds):
            yield Specification(variant, "xs", seed)
