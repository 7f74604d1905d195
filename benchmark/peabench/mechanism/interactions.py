"""What a block adds up for single inputs and for pairs of inputs, as a claim about its weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from peabench.mechanism.addresses import Site
from peabench.mechanism.records import Record


class Interactions(Record):
    """The features of a site, functions of two inputs each, are all that the weights give for inputs and for pairs.

    The features stand in the order of the network's outputs, each of which says whether its feature fires.
    """

    site: Site
    """The residual stream after the only block, such as `resid.1@0`."""
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    """Largest error of what one input or one pair adds, over the mean length of the directions."""
