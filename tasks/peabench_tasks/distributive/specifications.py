"""Which tasks the family has."""

from typing import ClassVar

from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.distributive.identities import PLANTED, TABLES
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.terms import Term


class Distributive(Specification):
    """A truth table, and formulas of it."""

    family = "distributive"
    networks: ClassVar = {
        "xs": ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=8),
        "s": ResidualMLPConfig(n_inputs=8, d_model=20, n_blocks=3, n_units=6, d_hidden=8),
    }
    variants: ClassVar = {"plain": ("xs", 2), "crossed": ("s", 7)}

    @property
    def table(self) -> str:
        """Name of the truth table: each has its turn."""
        return list(TABLES)[self.number % len(TABLES)]

    @property
    @override
    def ways(self) -> tuple[Term, ...]:
        return TABLES[self.table]

    @property
    @override
    def truths(self) -> tuple[int, int, int]:
        return PLANTED[self.table]

    @property
    @override
    def description(self) -> str:
        return f"One of {len(self.ways)} ways to compute {self.table}."
