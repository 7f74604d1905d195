"""Which tasks the family has: the sizes, from 5 tokens of 3 kinds to 9 of 6."""

from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.networks.config import TransformerConfig
from peabench_tasks.derived.free_training import Recipe, uniformly
from peabench_tasks.derived.studies import Study
from peabench_tasks.induction.mechanism import explain


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


def study(
    size: str,
    vocabulary: int,
    length: int,
    d_model: int,
    recipe: Recipe,
    starts: int,
    tolerance: float,
    aligned: tuple[int, ...],
) -> Study:
    """One size: two layers of one head; see `explain` for what is tolerated and aligned."""
    domain = ProductDomain(sizes=(1, *(vocabulary,) * (length - 1)))
    return Study(
        family="induction",
        variant="copy",
        size=size,
        network=TransformerConfig(
            d_vocabulary=vocabulary,
            n_positions=length,
            d_model=d_model,
            n_blocks=2,
            n_heads=1,
            d_head=d_model // 2,
            d_output=vocabulary + 1,
        ),
        domain=domain,
        draw=partial(uniformly, domain),
        recipe=recipe,
        answers=partial(followers, vocabulary=vocabulary),
        explain=partial(explain, tolerance=tolerance, aligned=aligned),
        description=f"What followed the last of {length - 1} tokens ({vocabulary} kinds) where it first occurred.",
        starts=starts,
    )


def recipe(steps: int, look: int = 0, noise_until: float = 0.6) -> Recipe:
    """Noise in attention's reads and weight decay make one sharp previous-token head."""
    return Recipe(
        steps=steps, rows=48, rate=4e-3, decay=0.3, noise=0.5, noise_until=noise_until, look=look, look_from=0.6
    )


STUDIES = (
    study("xs", 3, 6, 32, recipe(2500), starts=5, tolerance=0.05, aligned=(2, 3, 4)),
    study("s", 4, 8, 48, recipe(2500), starts=4, tolerance=0.05, aligned=(2, 3, 4, 5, 6)),
    study("m", 6, 9, 48, recipe(3000, look=2048, noise_until=0.4), starts=5, tolerance=0.025, aligned=(2, 5)),
)
