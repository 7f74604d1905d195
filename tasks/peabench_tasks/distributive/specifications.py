"""Which tasks the family has."""

from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig, TransformerConfig
from peabench_tasks.distributive.identities import PLANTED, TABLES
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.terms import Term

NETWORKS = {
    "xs": ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=8),
    "s": ResidualMLPConfig(n_inputs=8, d_model=20, n_blocks=3, n_units=6, d_hidden=8),
}
"""Residual MLPs of each size."""


class Distributive(Specification):
    """A truth table, and formulas of it."""

    family = "distributive"
    networks: ClassVar[Mapping[str, ResidualMLPConfig | TransformerConfig]] = NETWORKS
    variants: ClassVar = {"plain": ("xs", len(PLANTED["plain"])), "crossed": ("s", len(PLANTED["crossed"]))}

    @property
    def table(self) -> str:
        """Name of the truth table."""
        return PLANTED[self.variant][self.seed][0]

    @property
    @override
    def ways(self) -> tuple[Term, ...]:
        return TABLES[self.table]

    @property
    @override
    def truths(self) -> tuple[int, ...]:
        return PLANTED[self.variant][self.seed][1]

    @property
    @override
    def description(self) -> str:
        return f"One of {len(self.ways)} ways to compute {self.table}."
