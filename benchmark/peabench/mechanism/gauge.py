"""Gauge: symmetries of the architecture that change the weights and leave the function as it is. Data only."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Record

Symmetry = Literal["neuron_permutation", "neuron_scaling", "head_basis", "residual_rotation"]
"""Permutations of hidden neurons; positive scalings of neurons with a homogeneous non-linearity; changes of basis
inside a head (query-key and value-output); rotations of the residual stream where no norm stands in the way."""


class Gauge(Record):
    """The symmetries that hold for a network."""

    symmetries: tuple[Symmetry, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.symmetries)) != len(self.symmetries):
            raise MechanismError("expected each symmetry once, got one twice; list it once", "symmetries")
        return self
