"""Cutting an axis into pieces that fit a memory budget, and telling how far a sweep has come."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks import Network, ResidualMLPConfig

MEMORY_BYTES = 256 * 2**20
"""Default budget of a sweep: what it may hold at once beside its arguments and its result."""

MOST_ROWS = 8192
"""Rows of the residual stream that are held together where the budget allows more."""

CACHE_ROWS = 2048
"""Rows of the residual stream that are taken through a stage together."""

Progress = Callable[[float], None]
"""Called with the share of a sweep that is done, 0 to 1."""


def pieces(
    length: int, bytes_each: float, memory_bytes: int, progress: Progress | None = None, most: int | None = None
) -> Iterator[slice]:
    """Slices of an axis, each of entries that fit the budget together, and at most `most` entries.

    Raises:
        PeabenchError: one entry alone exceeds the budget.
    """
    fit = int(memory_bytes // bytes_each)
    if length and fit < 1:
        raise PeabenchError(
            f"expected a memory budget of at least {int(bytes_each) + 1} bytes for this network and batch, "
            f"got {memory_bytes}; raise `memory_bytes` or give a smaller batch"
        )
    size = fit if most is None else max(1, min(fit, most))
    for start in range(0, length, size):
        yield slice(start, min(length, start + size))
        if progress is not None:
            progress(min(1.0, (start + size) / length))


def held_bytes(network: Network) -> int:
    """About what one example at one position holds between stages: a few copies of what it reads and takes from it."""
    config = network.config
    heads = 0 if isinstance(config, ResidualMLPConfig) else config.n_heads * config.d_head
    return 4 * (8 * int(config.d_model) + 4 * heads + int(config.d_output))


def example_bytes(network: Network) -> int:
    """About what one example at one position holds while a whole stage runs on it."""
    config = network.config
    hidden = config.n_units * config.d_hidden if isinstance(config, ResidualMLPConfig) else config.d_mlp
    return held_bytes(network) + 8 * int(hidden)


def part_of(progress: Progress | None, part: slice, length: int) -> Progress | None:
    """Progress of one slice of an outer axis, told as progress of the whole."""
    if progress is None:
        return None
    return lambda share: progress((part.start + share * (part.stop - part.start)) / length)


def in_cache(work: Callable[[Tensor], Tensor], x: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_out"]:
    """A function of rows applied to a few thousand rows at a time, so that what it makes stays in the caches."""
    flat = x.reshape(-1, x.shape[-1])
    if flat.shape[0] <= CACHE_ROWS:
        return work(x)
    return torch.cat([work(part) for part in flat.split(CACHE_ROWS)]).view(*x.shape[:-1], -1)
