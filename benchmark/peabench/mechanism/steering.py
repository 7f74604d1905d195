"""Steering: what variables that are set to fixed values, whatever the input, do to the output on every input."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from peabench.mechanism.expressions import Expression
from peabench.mechanism.records import Label, Name, Record


class Setting(Record):
    """A variable held at one value, in the place of the one that an input would give it."""

    variable: Name
    """A Boolean of one number or a variable of finitely many values, with an alignment."""
    value: StrictBool | StrictInt


class Steering(Record):
    """Variables held at fixed values at once: a direction that is added, one that is ablated, an expert silenced."""

    name: Label
    settings: Annotated[tuple[Setting, ...], Field(min_length=1)]
    where: Expression
    """On which inputs it acts: a boolean of the causal model's variables as they are without it."""
    outcome: Expression
    """What is true there of all variables as they are with it. Elsewhere the output stays what it is."""
    description: str = ""
