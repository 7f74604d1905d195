"""Cutting an axis into pieces that fit a memory budget, and telling how far a sweep has come."""

from collections.abc import Callable, Iterator

from peabench.errors import PeabenchError
from peabench.networks import Network, ResidualMLPConfig

MEMORY_BYTES = 256 * 2**20
"""Default budget of a sweep: what it may hold at once beside its arguments and its result."""
QUICK_BYTES = 48 * 2**20
"""What patched runs hold at once where the budget allows more: larger arrays are slower, for each of their elements."""

MOST_ROWS = 8192
"""Rows of the residual stream that are held together where the budget allows more."""

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


def example_bytes(network: Network) -> int:
    """About what one example at one position holds while a stage runs: copies of what is read and what it makes."""
    config = network.config
    if isinstance(config, ResidualMLPConfig):
        made = config.n_units * (config.d_projected + config.d_hidden)
    else:
        made = 4 * config.n_heads * config.d_head + 2 * config.d_mlp
    return 4 * (8 * int(config.d_model) + int(made) + int(config.d_output))


def part_of(progress: Progress | None, part: slice, length: int) -> Progress | None:
    """Progress of one slice of an outer axis, told as progress of the whole."""
    if progress is None:
        return None
    return lambda share: progress((part.start + share * (part.stop - part.start)) / length)
