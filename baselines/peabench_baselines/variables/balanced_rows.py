"""Training pairs drawn so that both kinds are seen as often."""

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.tracks.pairs import Pairs


def balanced_rows(pairs: Pairs, count: int, generator: torch.Generator) -> Int[Tensor, " row"]:
    """Numbers of random pairs, half of them (in turn) with an output that should change; repeated where one is rare.

    Where there is one kind only, all are of that kind.
    """
    kinds = [kind.nonzero()[:, 0] for kind in (pairs.should_change, ~pairs.should_change)]
    kinds = [kind for kind in kinds if len(kind)]
    drawn = [
        kind[torch.randint(len(kind), (-(-count // len(kinds)),), generator=generator, device=generator.device)]
        for kind in kinds
    ]
    return torch.stack(drawn, 1).flatten()[:count]
