"""Which tasks the family has: the sizes, from 5 tokens of 3 kinds to 12 of 16."""

from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.networks.config import TransformerConfig
from peabench_tasks.derived.free_training import Recipe, uniformly
from peabench_tasks.derived.studies import Study
from peabench_tasks.induction.mechanism import explain

TOLERANCE = 0.05


def followers(rows: Int[Tensor, "*row position"], vocabulary: int) -> Int[Tensor, "*row position"]:
    """At each position, the token after the first earlier occurrence of the token there; `vocabulary` if there is none.

    Position 0 only begins the row.
    """
    length = rows.shape[-1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril(-1)
    earlier[:, 0] = False
    same = (rows[..., :, None] == rows[..., None, :]) & earlier
    place = torch.where(same, torch.arange(1, length + 1), length).amin(-1)
    return torch.where(place < length, rows.gather(-1, place.clamp(max=length - 1)), vocabulary)


def study(size: str, vocabulary: int, length: int, d_model: int, layers: int, recipe: Recipe, starts: int) -> Study:
    """One size: layers of one head."""
    domain = ProductDomain(sizes=(1, *(vocabulary,) * (length - 1)))
    return Study(
        family="induction",
        variant="copy",
        size=size,
        network=TransformerConfig(
            d_vocabulary=vocabulary,
            n_positions=length,
            d_model=d_model,
            n_blocks=layers,
            n_heads=1,
            d_head=d_model // 2,
            d_output=vocabulary + 1,
        ),
        domain=domain,
        draw=partial(uniformly, domain),
        recipe=recipe,
        answers=partial(followers, vocabulary=vocabulary),
        explain=partial(explain, tolerance=TOLERANCE),
        description=f"What followed the last of {length - 1} tokens ({vocabulary} kinds) where it first occurred.",
        starts=starts,
    )


def recipe(steps: int, rows: int) -> Recipe:
    """Noise in attention's reads and weight decay make one sharp previous-token head."""
    return Recipe(steps=steps, rows=rows, rate=4e-3, decay=0.3, noise=0.5)


STUDIES = (
    study("xs", 3, 6, 32, 2, recipe(2500, 48), 5),
    study("s", 4, 8, 48, 2, recipe(2500, 48), 4),
    study("m", 8, 10, 48, 2, recipe(2500, 48), 4),
    study("l", 16, 13, 64, 2, recipe(3000, 48), 4),
)
