"""Which tasks the family has: variants, sizes, seeds, and the clauses and the network of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.codes.clauses import Clause, draw_clauses
from peabench_tasks.specification import TaskSpecification

SEEDS = 3
EXAMPLES = 8192


@dataclass(frozen=True)
class Size:
    """Inputs, clauses and hidden neurons of one size."""

    n_inputs: int
    n_crowded: int
    """Inputs of the variant whose clauses share them."""
    n_clauses: int
    n_neurons: int


SIZES = {
    "xs": Size(n_inputs=10, n_crowded=6, n_clauses=16, n_neurons=24),
    "s": Size(n_inputs=12, n_crowded=8, n_clauses=24, n_neurons=36),
    "m": Size(n_inputs=14, n_crowded=9, n_clauses=32, n_neurons=48),
}


@dataclass(frozen=True)
class Variant:
    """What distinguishes the tasks of a variant."""

    width: int
    """Literals of a clause."""
    difficulty: str
    crowded: bool = False
    narrow: bool = False
    """As many neurons as clauses, and inputs that are rarely true, none of them negated."""
    tolerance: float | None = None
    """Share of the interventions that may go wrong; None: not one may."""


VARIANTS = {
    "pairs": Variant(2, "each clause is spread over several neurons, which it shares with others", tolerance=0.05),
    "triples": Variant(3, "clauses are spread over several neurons and hold on an eighth of the inputs"),
    "crowded": Variant(
        2, "clauses share literals, so that they go together, and neurons", crowded=True, tolerance=0.05
    ),
    "narrow": Variant(
        2, "as many clauses as neurons, each of which serves several, and clauses are rare", narrow=True, tolerance=0.05
    ),
}
RARELY = (0.8, 0.2)
"""How often the inputs of `narrow` are false and true."""


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    @property
    def number(self) -> int:
        """Place in the list of all."""
        return list(specifications()).index(self)

    @property
    def n_inputs(self) -> int:
        """Inputs of the network."""
        size = SIZES[self.size]
        return size.n_crowded if VARIANTS[self.variant].crowded else size.n_inputs

    @property
    def network(self) -> ResidualMLPConfig:
        """One block of one unit, which rectifies the residual stream: `resid.1` is the hidden layer."""
        size = SIZES[self.size]
        width = size.n_clauses if VARIANTS[self.variant].narrow else size.n_neurons
        return ResidualMLPConfig(
            n_inputs=self.n_inputs, d_model=width, n_blocks=1, n_units=1, d_hidden=width, d_output=size.n_clauses
        )

    @property
    def domain(self) -> ProductDomain:
        """All inputs, equally often or rarely true."""
        frequency = (RARELY,) * self.n_inputs if VARIANTS[self.variant].narrow else None
        return ProductDomain(sizes=(2,) * self.n_inputs, frequency=frequency)

    def clauses(self, seed: int) -> tuple[Clause, ...]:
        """Another training seed draws other ones."""
        variant = VARIANTS[self.variant]
        return draw_clauses(
            SIZES[self.size].n_clauses,
            self.n_inputs,
            variant.width,
            negated=not variant.narrow,
            seed=self.seed + SEEDS * seed,
        )


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, size, seed in product(VARIANTS, SIZES, range(SEEDS)):
        yield Specification(variant, size, seed)
