"""Beliefs: a state that the network keeps track of, and the affine read-outs that give it from the residual stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from peabench.mechanism.addresses import EveryPosition, Site, SiteAddress
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.processes import HiddenMarkovProcess
from peabench.mechanism.records import Name, Record
from peabench.mechanism.tensors import TensorReference


class Readout(Record):
    """`x @ matrix + offset` is the state, for what the residual stream holds at a site."""

    site: Site
    """`resid.L@*`: alike at every position; `resid.L@P`: at one, from which all later ones have it."""
    matrix: TensorReference
    """`[d_model, k]`."""
    offset: TensorReference
    """`[k]`."""

    @model_validator(mode="after")
    def _affine(self) -> Self:
        address = SiteAddress.parse(self.site)
        if not isinstance(address.place, int):
            raise MechanismError(f"expected a site of the residual stream, got {self.site!r}; name one", "site")
        for name, reference, axes in (("matrix", self.matrix, 2), ("offset", self.offset, 1)):
            if len(reference.shape) != axes or reference.dtype != "float32":
                raise MechanismError(
                    f"expected a float32 tensor of {axes} axes, got {reference.dtype} {list(reference.shape)}; "
                    "correct the reference",
                    f"{name}.shape",
                )
        if self.matrix.shape[1] != self.offset.shape[0]:
            raise MechanismError(
                f"expected an offset of {self.matrix.shape[1]} numbers, as the matrix has columns, "
                f"got {self.offset.shape[0]}; correct the references",
                "offset.shape",
            )
        return self


class Beliefs(Record):
    """A state that is kept track of, and where it can be read and swapped."""

    process: HiddenMarkovProcess | None = None
    """What writes the tokens: the state is how probable each of its hidden states is after the tokens up to a position,
    that of the sites."""
    variable: Name | None = None
    """A Boolean of the causal model (0 or 1), or one of finitely many values (1 at its number, 0 elsewhere)."""
    readout: Readout
    alternatives: tuple[Readout, ...] = ()
    """Others that were certified to be as right."""

    @model_validator(mode="after")
    def _one_state(self) -> Self:
        if (self.process is None) == (self.variable is None):
            raise MechanismError("expected either a process or a variable, got both or neither; give one", "process")
        positions = {SiteAddress.parse(readout.site).position for readout in self.readouts}
        if len(positions) > 1:
            raise MechanismError("expected read-outs of the same positions, got others; correct the sites", "readout")
        width = self.readout.offset.shape[0]
        if self.process is not None and width != self.process.n_states:
            raise MechanismError(
                f"expected {self.process.n_states} numbers, one for each hidden state, got {width}; correct it",
                "readout.offset.shape",
            )
        return self

    @property
    def position(self) -> int | EveryPosition:
        """Where the read-outs are."""
        return SiteAddress.parse(self.readout.site).position

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """The read-out and its alternatives."""
        return (self.readout, *self.alternatives)

    def places(self) -> Iterator[tuple[str, TensorReference]]:
        """The tensor references within, each with its field path."""
        for i, readout in enumerate(self.readouts):
            place = f"alternatives.{i - 1}" if i else "readout"
            yield f"{place}.matrix", readout.matrix
            yield f"{place}.offset", readout.offset
