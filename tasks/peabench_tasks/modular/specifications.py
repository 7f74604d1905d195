"""Which tasks the family has."""

from dataclasses import dataclass
from typing import Literal

from peabench.domain import ProductDomain
from peabench.fourier import Form
from peabench.networks.config import ResidualMLPConfig, TransformerConfig
from peabench_tasks.modular.free_training import Recipe

Variant = Literal["clock", "pizza", "add", "subtract", "composite"]


@dataclass(frozen=True)
class Start:
    """One training: the seed of its weights and of the pairs that it is shown, and for how long."""

    seed: int
    times: int = 1
    """How often the recipe's steps; twice where the mechanism had not settled."""
    donor: int | None = None
    """For constant attention: the seed of another clock's start, that no task has, whose queries and keys it gets."""


@dataclass(frozen=True)
class Study:
    """One variant: its network, how it is trained, and the starts that become its tasks.

    Of other starts the mechanism was not settled, or not certified: docs/modular.md says how many.
    """

    variant: Variant
    description: str
    network: ResidualMLPConfig | TransformerConfig
    recipe: Recipe
    starts: tuple[Start, ...]
    exchanges: tuple[int, ...]
    """How many frequencies are rivals for one place in the set, for each place that is asked about."""
    sign: int = 1
    form: Form | None = None

    @property
    def modulus(self) -> int:
        """What is added modulo: n."""
        return self.network.d_output

    @property
    def domain(self) -> ProductDomain:
        """All pairs."""
        return ProductDomain(sizes=(self.modulus, self.modulus))

    def name(self, index: int) -> str:
        """Second part of a task's id."""
        return f"{self.variant}-s-{index}"


def transformer(modulus: int) -> TransformerConfig:
    """One layer that reads two tokens."""
    return TransformerConfig(
        d_vocabulary=modulus,
        n_positions=2,
        d_model=32,
        n_blocks=1,
        n_heads=4,
        d_head=4,
        d_mlp=96,
        d_output=modulus,
    )


def squares(modulus: int) -> ResidualMLPConfig:
    """One hidden layer of squaring neurons that reads two words."""
    return ResidualMLPConfig(
        n_inputs=2,
        d_model=24,
        n_blocks=1,
        n_units=1,
        d_hidden=96,
        d_output=modulus,
        words=((0, modulus), (modulus, modulus)),
        activation="square",
    )


SQUARING = Recipe(steps=2000, rate=5e-3, decay=1.0, objective="squared_error", share=0.8)
"""Perfect after about 500 steps."""

ATTENDING = Recipe(steps=1500, rate=5e-3, decay=2.0, objective="cross_entropy", share=0.8)
"""Of clocks; perfect after about 300 steps."""

ADDING_UP = Recipe(steps=5000, rate=8e-3, decay=1.0, objective="cross_entropy", share=0.9, constant_attention=True)
"""Of pizzas, whose irrelevance of distance falls for long."""

CLOCK = Study(
    variant="clock",
    description="Addition modulo 43, by a transformer of one layer that was free to attend.",
    network=transformer(43),
    recipe=ATTENDING,
    starts=(Start(0), Start(1), Start(7), Start(4, times=2), Start(9)),
    exchanges=(4,),
    form="clock",
)

STUDIES = (
    CLOCK,
    Study(
        variant="pizza",
        description="Addition modulo 43, by a transformer of one layer whose attention was held constant in training.",
        network=transformer(43),
        recipe=ADDING_UP,
        starts=(
            Start(20, donor=5),
            Start(24, donor=6),
            Start(26, times=2, donor=11),
            Start(32, donor=13),
            Start(36, donor=16),
        ),
        exchanges=(4,),
        form="pizza",
    ),
    Study(
        variant="add",
        description="Addition modulo 31, by one layer of squaring neurons.",
        network=squares(31),
        recipe=SQUARING,
        starts=(Start(0),),
        exchanges=(4, 2),
    ),
    Study(
        variant="subtract",
        description="Subtraction modulo 31, by one layer of squaring neurons.",
        network=squares(31),
        recipe=SQUARING,
        starts=(Start(0),),
        exchanges=(4, 2),
        sign=-1,
    ),
    Study(
        variant="composite",
        description="Addition modulo 35, by one layer of squaring neurons. By multiples of 5 as frequencies the sum is "
        "known modulo 7 only, by multiples of 7 modulo 5 only.",
        network=squares(35),
        recipe=SQUARING,
        starts=(Start(0), Start(1)),
        exchanges=(4, 2),
    ),
)
