"""Which tasks the family has."""

from typing import ClassVar

from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.multitask_parity.ways import KINDS
from peabench_tasks.ways.kinds import OfKinds
from peabench_tasks.ways.terms import Term


class MultitaskParity(OfKinds):
    """One of two parities, as a control bit says; kinds tell whether a variable serves one subtask or both."""

    family = "multitask_parity"
    kinds: ClassVar[tuple[tuple[Term, ...], ...]] = KINDS
    networks: ClassVar = {"xs": ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=8)}
    variants: ClassVar = {"plain": ("xs", 1), "crossed": ("xs", 3)}

    @property
    @override
    def description(self) -> str:
        letters = self.inputs
        one, other = (f"{letters[a]} and {letters[b]}" for a, b in ("AB", "CD"))
        return f"The parity of {one} where {letters['S']} is true, else that of {other}."
