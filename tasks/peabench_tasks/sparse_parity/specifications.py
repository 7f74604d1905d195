"""Which tasks the family has."""

from typing import ClassVar

from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.sparse_parity.ways import kinds
from peabench_tasks.ways.kinds import OfKinds
from peabench_tasks.ways.terms import Term

LETTERS = "ABCD"


class SparseParity(OfKinds):
    """The parity of a few inputs among many; kinds are splits by the size of the smaller part, and counts."""

    family = "sparse_parity"
    kinds: ClassVar[tuple[tuple[Term, ...], ...]] = kinds(LETTERS)
    networks: ClassVar = {"xs": ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=12)}
    variants: ClassVar = {"plain": ("xs", 1), "crossed": ("xs", 3)}

    @property
    @override
    def description(self) -> str:
        return f"The parity of {len(LETTERS)} of {self.n_inputs} inputs."
