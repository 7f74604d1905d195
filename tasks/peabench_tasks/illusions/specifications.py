"""Which tasks the family has: a formula, and whether a dormant path lies beside one of its variables."""

from collections.abc import Iterator
from dataclasses import dataclass

from peabench.domain import ProductDomain
from peabench.mechanism import Boolean, CausalModel, Variable
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.production import ANEW
from peabench_tasks.units.lookup import lookup
from peabench_tasks.units.plan import Plan, draw_plan

FAMILY = "illusions"
COLUMNS = 6
ASKED = "asked"
COPY = "copy"
"""Name of a second account of the variable that is asked about, which nobody reads."""
DIFFICULTY = {
    "plain": "",
    "dormant": "a copy that nobody reads and a direction that nobody writes make up a subspace whose swap sets the "
    "variable, though the network uses it on no input",
}
SEEDS = 3
EXAMPLES = 512
STRENGTHS = {"plain": (1.0, 1.0), "dormant": (1.0, 3.0)}
"""Of inner variables, and of the copy."""


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
    def network(self) -> ResidualMLPConfig:
        """A residual MLP that reads bits."""
        return ResidualMLPConfig(
            n_inputs=COLUMNS,
            d_model=16,
            n_blocks=4,
            n_units=4,
            d_hidden=26,
            words=tuple((2 * column, 2) for column in range(COLUMNS)),
        )

    @property
    def domain(self) -> ProductDomain:
        """Every input."""
        return ProductDomain(sizes=(2,) * COLUMNS)

    def plan(self, seed: int) -> Plan:
        """Where the variables go; the copy is written in the variable's block: no site has one without the other."""
        model = formula(self.seed)
        if self.variant == "plain":
            return draw_plan(model, None, self.network, seed, STRENGTHS[self.variant])
        asked = model.variable(ASKED)
        bait = model.model_copy(
            update={"variables": (*model.variables[:-1], asked.model_copy(update={"name": COPY}), model.variables[-1])}
        )
        drawn = seed
        while True:
            plan = draw_plan(model, bait, self.network, drawn, STRENGTHS[self.variant])
            if plan.written(COPY) == plan.written(ASKED):
                return plan
            drawn += ANEW**2


def formula(seed: int) -> CausalModel:
    """Whether exactly one of two variables of three bits each holds; the first is a parity, a majority or a choice."""
    bits = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(COLUMNS)]
    first = (lambda a, b, c: a ^ b ^ c, lambda a, b, c: a + b + c > 1, lambda a, b, c: b if a else c)[seed % SEEDS]
    asked = lookup(ASKED, Boolean(), bits[:3], first)
    other = lookup("other", Boolean(), bits[3:], lambda a, b, c: a & (b | c))
    answer = lookup("answer", Boolean(), (asked, other), lambda a, b: a ^ b)
    return CausalModel(variables=(*bits, asked, other, answer), output="answer")


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant in DIFFICULTY:
        for seed in range(SEEDS):
            yield Specification(variant, "xs", seed)
