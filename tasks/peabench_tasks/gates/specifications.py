"""Which tasks the family has: variants (which gates, which neurons), sizes, seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import Literal

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.gates.logic import Gate, Kind, draw_gates

SEEDS = 3
EXAMPLES = 16_384
TOLERANCE = 0.1
"""Share of inputs, and of interventions, on which some output may be wrong: gates that fire together interfere."""


@dataclass(frozen=True)
class Size:
    """Inputs, which are as many as dimensions, and neurons that compute gates; and how many gates there are."""

    n_inputs: int
    n_neurons: int
    n_gates: int
    n_mixed: int
    """Gates of the variant with several kinds."""
    n_crowded: int
    """Inputs of the variant that has a gate for each pair of them."""


SIZES = {
    "xs": Size(n_inputs=12, n_neurons=24, n_gates=30, n_mixed=18, n_crowded=8),
    "s": Size(n_inputs=16, n_neurons=32, n_gates=44, n_mixed=26, n_crowded=9),
}


@dataclass(frozen=True)
class Variant:
    """What distinguishes the tasks of a variant."""

    activation: Literal["relu", "bilinear"]
    frequency: float
    """How often an input is true."""
    difficulty: str
    kinds: tuple[Kind, ...] = ("and",)
    crowded: bool = False
    """A gate for each pair of few inputs."""


VARIANTS = {
    "bilinear": Variant("bilinear", 0.1, "gates are more than dimensions, and those of one input go together"),
    "mixed": Variant(
        "bilinear",
        0.04,
        "gates of one input fire together, so that inputs look like features, and differ in frequency fiftyfold",
        kinds=("and", "or", "xor", "but_not"),
    ),
    "and": Variant("relu", 0.1, "gates are more than dimensions and than neurons, which also answer to three inputs"),
    "crowded": Variant(
        "relu", 0.15, "every pair of inputs has a gate: three inputs make three gates fire", crowded=True
    ),
}


@dataclass(frozen=True)
class Specification:
    """One task to be made."""

    variant: str
    size: str
    seed: int

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def n_inputs(self) -> int:
        """Inputs of the network."""
        size = SIZES[self.size]
        return size.n_crowded if VARIANTS[self.variant].crowded else size.n_inputs

    @property
    def n_gates(self) -> int:
        """Outputs of the network."""
        size, variant = SIZES[self.size], VARIANTS[self.variant]
        if variant.crowded:
            return comb(size.n_crowded, 2)
        return size.n_gates if len(variant.kinds) == 1 else size.n_mixed

    @property
    def network(self) -> ResidualMLPConfig:
        """One block of one unit: neurons that compute gates, then one for each input that takes it from the stream."""
        size = SIZES[self.size]
        return ResidualMLPConfig(
            n_inputs=self.n_inputs,
            d_model=size.n_inputs,
            n_blocks=1,
            n_units=1,
            d_hidden=size.n_neurons + self.n_inputs,
            d_output=self.n_gates,
            activation=VARIANTS[self.variant].activation,
        )

    @property
    def domain(self) -> ProductDomain:
        """Inputs that are true independently, and rarely."""
        often = VARIANTS[self.variant].frequency
        return ProductDomain(sizes=(2,) * self.n_inputs, frequency=((1 - often, often),) * self.n_inputs)

    def gates(self, seed: int) -> tuple[Gate, ...]:
        """The gates that the network computes."""
        return draw_gates(self.n_gates, self.n_inputs, VARIANTS[self.variant].kinds, self.weight_seed(seed))

    def weight_seed(self, seed: int) -> int:
        """Seed of the gates and of the initial weights: its own for each task."""
        order = [s.name for s in specifications()].index(self.name)
        return 1000 * (seed + 1) + order


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant in VARIANTS:
        for size in SIZES:
            for seed in range(SEEDS):
                yield Specification(variant, size, seed)
