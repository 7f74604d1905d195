"""Which tasks are planted in transformers."""

from functools import cached_property
from random import Random
from typing import ClassVar

from typing_extensions import override

from peabench.networks.config import TransformerConfig
from peabench_tasks.distributive.attending.plan import Plan, draw_plan
from peabench_tasks.distributive.identities import PLANTED
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.ways.specification import Member

LAST_WITHOUT_LETTERS = 1
"""Positions at the end at which no letter stands: from any letter there is some way to go."""
NETWORK = TransformerConfig(
    d_vocabulary=2, n_positions=6, d_model=26, n_blocks=2, n_heads=5, d_head=2, d_mlp=40, d_output=1
)


class Attending(Distributive):
    """A truth table, and formulas of it that transformers compute at several positions."""

    networks: ClassVar = {"s": NETWORK}
    variants: ClassVar = {"attending": ("s", len(PLANTED["attending"]))}

    @cached_property
    @override
    def inputs(self) -> dict[str, str]:
        letters = sorted(set().union(*(way.letters() for way in self.ways)))
        columns = range(self.n_inputs - LAST_WITHOUT_LETTERS)
        drawn = Random(f"inputs/{self.family}/{self.name}").sample(columns, len(letters))
        return {letter: f"x{column}" for letter, column in zip(letters, drawn, strict=True)}

    def transformer_plan(self, member: Member) -> Plan:
        """A member's way in its network.

        Raises:
            ValueError: it is not planted beside another.
        """
        if member.truth is None or member.beside is None or member.strong is None:
            raise ValueError(f"expected {member.name} of {self.name} to be planted, with another way beside its own")
        term, beside, strong = (self.ways[number] for number in (member.truth, member.beside, member.strong))
        return draw_plan(term, beside, strong, self.inputs, NETWORK, member.seed)
