"""The sum of three digits modulo 3 by either bracketing, small enough to be planted in a test."""

from dataclasses import dataclass

import pytest

from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.mechanism import AlgorithmClaim, Category, CausalModel, Mechanism, Variable
from peabench.networks import ResidualMLP
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.units.algorithm import Algorithm, claim
from peabench_tasks.units.assembly import Stream, assemble
from peabench_tasks.units.lessons import learn
from peabench_tasks.units.lookup import lookup
from peabench_tasks.units.mechanism import build_mechanism
from peabench_tasks.units.plan import Plan, draw_plan

DIGIT = Category(values=3)
A, B, C = (Variable(name=name, kind=DIGIT, columns=(i,)) for i, name in enumerate("abc"))
DOMAIN = ProductDomain(sizes=(3, 3, 3))
CONFIG = ResidualMLPConfig(
    n_inputs=3, d_model=16, n_blocks=2, n_units=3, d_hidden=20, d_output=3, words=((0, 3), (3, 3), (6, 3))
)


def added(name: str, one: Variable, other: Variable) -> Variable:
    return lookup(name, DIGIT, (one, other), lambda x, y: (x + y) % 3)


def bracketed(name: str, first: Variable, last: tuple[Variable, Variable]) -> Algorithm:
    answer = added("answer", *last)
    return Algorithm(name, name, CausalModel(variables=(A, B, C, first, answer), output="answer"))


AB, BC = added("ab", A, B), added("bc", B, C)
LEFT, RIGHT = bracketed("left", AB, (AB, C)), bracketed("right", BC, (A, BC))


@dataclass(frozen=True)
class Planted:
    plan: Plan
    stream: Stream
    network: ResidualMLP

    def mechanism(self, algorithm: AlgorithmClaim) -> Mechanism:
        return build_mechanism(self.plan, self.stream, algorithm)


@pytest.fixture(scope="session")
def planted() -> Planted:
    """The sum from the left; the sum of the last two is computed too, twice as strongly, and not read."""
    plan = draw_plan(LEFT.model, RIGHT.model, CONFIG, 7, (0.5, 1.0))
    generator = generator_of(7)
    lessons = {variable.name: learn(plan, variable.name, generator, steps=400) for variable in plan.computed}
    stream = Stream.cut(plan)
    return Planted(plan, stream, assemble(plan, lessons, stream).requires_grad_(False))


@pytest.fixture(scope="session")
def true_claim() -> AlgorithmClaim:
    return claim((LEFT, RIGHT), "left")
