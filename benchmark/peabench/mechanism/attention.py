"""Where heads look, in words of the causal model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from peabench.mechanism.addresses import Node
from peabench.mechanism.expressions import Expression
from peabench.mechanism.records import Record


class Attends(Record):
    """At one query position, a head looks at the keys for which an expression is true."""

    head: Node
    """A head, such as `block1.head0`."""
    query: Annotated[int, Field(ge=0)]
    """Position of the query."""
    keys: Expression
    """One boolean per position, in terms of the causal model's variables. Where none is true nothing is claimed."""
