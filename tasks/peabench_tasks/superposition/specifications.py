"""Which tasks the family has: variants (how the features differ), sizes, seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.specification import TaskSpecification

SEEDS = 3
EXAMPLES = 16_384


@dataclass(frozen=True)
class Size:
    """Inputs, dimensions of the bottleneck, and how often an input is true in the mean."""

    n_inputs: int
    d_model: int
    frequency: float


SIZES = {
    "xs": Size(n_inputs=24, d_model=10, frequency=0.012),
    "s": Size(n_inputs=40, d_model=16, frequency=0.008),
    "m": Size(n_inputs=64, d_model=24, frequency=0.006),
}


@dataclass(frozen=True)
class Variant:
    """What distinguishes the tasks of a variant."""

    difficulty: str
    tied: bool = False
    density: float = 1.0
    """How many times as often as a size has it inputs are true."""
    spread: float = 1.0
    """How many times as often as the rarest input the most frequent one is true; between them it falls evenly."""
    decay: float = 1.0
    """Importance of each input over that of the one before it."""
    magnitudes: int = 1
    """Values that an input has besides 0: 1, or 1/2 and 1. What is graded is learnt by squared error."""
    sizes: tuple[str, ...] = tuple(SIZES)


VARIANTS = {
    "tied": Variant("features are more than dimensions, most of them in pairs of opposite directions", tied=True),
    "untied": Variant("features are more than dimensions, at no special angles"),
    "dense": Variant("several features fire at once, in few dimensions", density=2.5),
    "zipf": Variant("features differ in frequency thirtyfold", spread=30.0),
    "importance": Variant("what matters little has shorter directions", decay=0.9),
    "graded": Variant(
        "features fire more or less strongly along one direction", tied=True, magnitudes=2, sizes=("xs",)
    ),
}
TOLERANCE = 0.1
"""Share of inputs, and of interventions, on which some output may be wrong: features that fire together interfere."""


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    @property
    def number(self) -> int:
        """Place in the list of all."""
        return list(specifications()).index(self)

    @property
    def network(self) -> ResidualMLPConfig:
        """The bottleneck is `resid.0`, which the output reads through a block that writes nothing.

        There is an output for each value above 0 of each input: whether it has this value or a greater one.
        """
        size, values = SIZES[self.size], self.magnitudes + 1
        return ResidualMLPConfig(
            n_inputs=size.n_inputs,
            words=tuple((values * i, values) for i in range(size.n_inputs)) if self.magnitudes > 1 else None,
            d_model=size.d_model,
            n_blocks=1,
            n_units=1,
            d_hidden=1,
            d_output=size.n_inputs * self.magnitudes,
        )

    @property
    def magnitudes(self) -> int:
        """Values that an input has besides 0."""
        return VARIANTS[self.variant].magnitudes

    @property
    def frequencies(self) -> tuple[float, ...]:
        """How often each input is true, or other than 0."""
        size, variant = SIZES[self.size], VARIANTS[self.variant]
        steps = [variant.spread ** (-i / (size.n_inputs - 1)) for i in range(size.n_inputs)]
        mean = size.frequency * variant.density
        return tuple(round(mean * step * len(steps) / sum(steps), 6) for step in steps)

    @property
    def importance(self) -> tuple[float, ...]:
        """Weight of each input in the loss."""
        return tuple(VARIANTS[self.variant].decay ** i for i in range(SIZES[self.size].n_inputs))

    @property
    def domain(self) -> ProductDomain:
        """Inputs that are true independently, and rarely; those that are graded have each magnitude equally often."""
        frequencies, count = self.frequencies, self.magnitudes
        return ProductDomain(
            sizes=(count + 1,) * len(frequencies),
            frequency=tuple((1 - p, *(p / count,) * count) for p in frequencies),
        )


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for name, variant in VARIANTS.items():
        for size, seed in product(variant.sizes, range(SEEDS)):
            yield Specification(name, size, seed)
