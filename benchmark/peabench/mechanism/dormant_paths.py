"""Dormant paths: subspaces whose interchange acts like a variable's though the network uses them on no input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from peabench.mechanism.addresses import Site, SiteAddress
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Name, Record
from peabench.mechanism.tensors import TensorReference


class DormantPath(Record):
    """A line of the residual stream between a direction that nobody reads and one that nobody writes.

    Swapping the line moves the second direction by what the first one says, and so sets the variable; swapping the
    plane of both changes nothing (Makelov, Lange and Nanda 2023, arXiv:2311.17030).
    """

    variable: Name
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    """Of the residual stream."""
    disconnected: TensorReference
    """`[d_model, 1]`: it follows the variable, and nobody reads it."""
    dormant: TensorReference
    """`[d_model, 1]`: the variable's reader reads it, and nobody writes it."""
    line: TensorReference
    """`[d_model, 1]`: in the plane of the two."""

    @model_validator(mode="after")
    def _lines_of_the_residual_stream(self) -> Self:
        for i, site in enumerate(self.sites):
            if not isinstance(SiteAddress.parse(site).place, int):
                raise MechanismError(f"expected a site of the residual stream, got {site!r}; name one", f"sites.{i}")
        for name, reference in self.places():
            if len(reference.shape) != 2 or reference.shape[1] != 1 or reference.dtype != "float32":
                raise MechanismError(
                    f"expected a float32 basis of shape [d_model, 1], got {reference.dtype} {list(reference.shape)}; "
                    "correct the reference",
                    f"{name}.shape",
                )
        return self

    def places(self) -> Iterator[tuple[str, TensorReference]]:
        """The tensor references within, each with its field."""
        yield from (("disconnected", self.disconnected), ("dormant", self.dormant), ("line", self.line))
