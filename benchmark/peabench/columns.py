"""Boolean formulas over the columns `x0`, `x1`, ... of an input: where training inputs lie, what may be a cue."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Boolean, Expression, Kind, MechanismError, Range, describe, evaluate, infer

LARGEST_LISTED_DOMAIN = 1 << 24
"""Inputs of the largest domain that is gone through as a whole."""
CHUNK_ROWS = 1 << 15
ROUNDS = 64
"""Draws of a whole sample before a formula is taken to hold too rarely."""


def kinds_of_columns(domain: ProductDomain) -> dict[str, Kind]:
    """Kind of every column by name: an integer from 0 to its number of values less one."""
    return {f"x{i}": Range(low=0, high=size - 1) for i, size in enumerate(domain.sizes)}


def check_formula(formula: Expression, domain: ProductDomain) -> None:
    """Refuse what is no single yes or no about an input of a domain.

    Raises:
        MechanismError: it mentions what is no column, or is no Boolean.
    """
    kind = infer(formula, kinds_of_columns(domain))
    if kind != Boolean():
        raise MechanismError(f"expected a boolean of columns x0, x1, ..., got {describe(kind)}; compare with a value")


def holds(
    formulas: Sequence[Expression], rows: Int[Tensor, "row column"], domain: ProductDomain
) -> Bool[Tensor, "formula row"]:
    """Whether each formula holds on each row."""
    kinds = kinds_of_columns(domain)
    values = {name: rows[:, i] for i, name in enumerate(kinds)}
    found = [evaluate(formula, values, kinds).expand(len(rows)) for formula in formulas]
    return torch.stack(found) if found else torch.zeros(0, len(rows), dtype=torch.bool, device=rows.device)


def every_input(domain: ProductDomain) -> Iterator[Int[Tensor, "row column"]]:
    """All inputs of a domain in chunks.

    Raises:
        PeabenchError: there are too many to be listed, or some are rarer than others.
    """
    if domain.frequency is not None or domain.size > LARGEST_LISTED_DOMAIN:
        raise PeabenchError(
            f"Expected a domain of at most {LARGEST_LISTED_DOMAIN} equally frequent inputs, for each of them is looked "
            f"at, got {domain.size}; make it smaller."
        )
    for numbers in torch.arange(domain.size).split(CHUNK_ROWS):
        yield domain.rows(numbers)


def sample_where(
    formula: Expression, domain: ProductDomain, count: int, generator: torch.Generator
) -> Int[Tensor, "row column"]:
    """Inputs as the domain draws them, of those alone on which a formula holds.

    Raises:
        PeabenchError: it holds too rarely.
    """
    found: list[Tensor] = []
    for _ in range(ROUNDS):
        rows = domain.sample(count, generator)
        found.append(rows[holds([formula], rows, domain)[0]])
        if sum(map(len, found)) >= count:
            return torch.cat(found)[:count]
    raise PeabenchError(
        f"Expected a formula that holds on more than one input in {ROUNDS}, got {sum(map(len, found))} of "
        f"{ROUNDS * count}; widen the training distribution."
    )
