"""Which tasks the family has: the sizes, from 2 tokens of 32 to 6 of 96."""

from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.networks.config import TransformerConfig
from peabench_tasks.derived.free_training import Recipe
from peabench_tasks.derived.studies import Study
from peabench_tasks.max_of_k.mechanism import explain


def largest(rows: Int[Tensor, "*row position"]) -> Int[Tensor, "*row 1"]:
    """The right answer, at the last position."""
    return rows.amax(-1, keepdim=True)


def close(
    vocabulary: int, length: int, shape: tuple[int, int], generator: torch.Generator
) -> Int[Tensor, "network row position"]:
    """Inputs whose tokens lie below a bound and, in half of them, not far below it; both are drawn for each input.

    So all answers are about as frequent, and what is hardest is not rare: several tokens just below the largest.
    """
    high = torch.randint(1, vocabulary + 1, (*shape, 1), generator=generator)
    width = high.double() ** torch.rand(*shape, 1, generator=generator).mul(2).clamp(max=1)
    drawn = high - (torch.rand(*shape, length, generator=generator) * width.ceil()).floor() - 1
    return drawn.long()


def study(
    size: str, vocabulary: int, length: int, d_model: int, recipe: Recipe, starts: int, tolerance: float
) -> Study:
    """One size: a layer of one head.

    Equal largest tokens share attention, and neighbouring ones to some degree: the rarer they are, the less is
    tolerated.
    """
    return Study(
        family="max_of_k",
        variant="max",
        size=size,
        network=TransformerConfig(
            d_vocabulary=vocabulary,
            n_positions=length,
            d_model=d_model,
            n_blocks=1,
            n_heads=1,
            d_head=d_model,
            d_output=vocabulary,
        ),
        domain=ProductDomain(sizes=(vocabulary,) * length),
        recipe=recipe,
        draw=partial(close, vocabulary, length),
        answers=largest,
        explain=partial(explain, tolerance=tolerance),
        description=f"The largest of {length} tokens from 0 to {vocabulary - 1}.",
        starts=starts,
    )


STUDIES = (
    study("xs", 32, 2, 32, Recipe(steps=1500, rows=192, look=8192), starts=4, tolerance=0.075),
    study("s", 64, 4, 32, Recipe(steps=3000, rows=192, look=8192), starts=4, tolerance=0.06),
    study("m", 96, 5, 48, Recipe(steps=3000, rows=192, look=8192), starts=4, tolerance=0.035),
)
