"""Lexicons: which words there are, which variables they set, and which features they carry."""

from dataclasses import dataclass

from peabench.domain import ProductDomain
from peabench.mechanism import Expression, Variable


@dataclass(frozen=True)
class Column:
    """A column of words."""

    first: int
    """Its first row of the embedding table."""
    count: int
    """Words that it may hold, of a row each."""
    shares: tuple[float, ...] | None = None
    """How often it holds each; None: all equally often."""


@dataclass(frozen=True)
class Attribute:
    """A feature that words carry."""

    name: str
    variable: str
    """The variable that it fires with."""
    activation: Expression
    """How strongly it fires, in terms of that variable alone."""
    parents: tuple[str, ...] = ()
    subspace: str | None = None
    shares_direction_of: str | None = None
    """A feature along whose direction it lies; None: it has one of its own."""


@dataclass(frozen=True)
class Atom:
    """A whole number that queries may ask about: how often an attribute is there, or whether a value is taken."""

    variable: str
    count: Expression
    """In terms of its variable alone."""


@dataclass(frozen=True)
class Lexicon:
    """Words, and what they mean. The last column, the query, stands in no lexicon."""

    columns: tuple[Column, ...]
    words: tuple[dict[str, float], ...]
    """For each row of the embedding table, how much of which attribute it carries."""
    variables: tuple[Variable, ...]
    """Those that read columns first, then those that attributes fire with, if they are others."""
    attributes: tuple[Attribute, ...]
    atoms: tuple[Atom, ...]

    @property
    def carriers(self) -> tuple[str, ...]:
        """Variables that attributes fire with."""
        return tuple(dict.fromkeys(attribute.variable for attribute in self.attributes))

    def domain(self, queries: int) -> ProductDomain:
        """The inputs: words, then one of so many queries."""
        shares = (*(column.shares for column in self.columns), None)
        return ProductDomain(
            sizes=(*(column.count for column in self.columns), queries),
            frequency=None if shares == (None,) * len(shares) else shares,
        )
