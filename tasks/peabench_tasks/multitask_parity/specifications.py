"""Which tasks the family has."""

from collections.abc import Iterator
from typing import ClassVar

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.distributive.terms import Term
from peabench_tasks.multitask_parity.ways import KINDS
from peabench_tasks.parity.specification import Size, Specification

SIZES = {
    "xs": Size("SABCD", 3, ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=4, d_hidden=8)),
    "s": Size("SABCD", 3, ResidualMLPConfig(n_inputs=14, d_model=24, n_blocks=3, n_units=4, d_hidden=8)),
}
VARIANTS = {"beside": ("xs", 1), "plain": ("s", 3), "few": ("s", 3), "quiet": ("s", 3)}
"""The size of each variant's networks, and how many tasks it has."""


class MultitaskParity(Specification):
    """One of two parities, as a control bit says."""

    family = "multitask_parity"
    sizes: ClassVar[dict[str, Size]] = SIZES

    @property
    def number(self) -> int:
        """Place in the list of all."""
        return list(specifications()).index(self)

    @property
    def kinds(self) -> tuple[tuple[Term, ...], ...]:
        """Whether a variable serves one subtask or both."""
        return KINDS

    @property
    def description(self) -> str:
        """Which parities they are."""
        letters = self.inputs
        one, other = (f"{letters[a]} and {letters[b]}" for a, b in ("AB", "CD"))
        return f"The parity of {one} where {letters['S']} is true, else that of {other}."


def specifications() -> Iterator[MultitaskParity]:
    """All tasks of the family."""
    for variant, (size, count) in VARIANTS.items():
        for seed in range(count):
            yield MultitaskParity(variant, size, seed)
