"""Which tasks the family has."""

from collections.abc import Iterator
from typing import ClassVar

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.distributive.terms import Term
from peabench_tasks.parity.specification import Size, Specification
from peabench_tasks.sparse_parity.ways import kinds

SIZES = {
    "xs": Size("ABCD", 3, ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=12)),
    "s": Size("ABCD", 3, ResidualMLPConfig(n_inputs=14, d_model=24, n_blocks=3, n_units=4, d_hidden=12)),
}
VARIANTS = {"beside": ("xs", 1), "plain": ("s", 3), "few": ("s", 3), "quiet": ("s", 3)}
"""The size of each variant's networks, and how many tasks it has."""


class SparseParity(Specification):
    """The parity of a few inputs among many."""

    family = "sparse_parity"
    sizes: ClassVar[dict[str, Size]] = SIZES

    @property
    def number(self) -> int:
        """Place in the list of all."""
        return list(specifications()).index(self)

    @property
    def kinds(self) -> tuple[tuple[Term, ...], ...]:
        """Splits by the size of the smaller part, and counts."""
        return kinds(self.shape.letters)

    @property
    def description(self) -> str:
        """Which parity it is."""
        return f"The parity of {len(self.shape.letters)} of {self.shape.network.n_inputs} inputs."


def specifications() -> Iterator[SparseParity]:
    """All tasks of the family."""
    for variant, (size, count) in VARIANTS.items():
        for seed in range(count):
            yield SparseParity(variant, size, seed)
