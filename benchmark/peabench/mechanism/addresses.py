"""Addresses of a network's parts: nodes, readers, edges between them, and sites where activations live.

| address | examples |
|---|---|
| node | `embed`, `input3`, `block0.head1`, `block0.mlp`, `block0.unit2` |
| reader | `block0.mlp`, `block0.unit2`, `block1.head2.q`, `block1.head2.k`, `block1.head2.v`, `output` |
| edge | `block1.head2.q <- block0.mlp`, `output <- block2.unit1` |
| site | `resid.1@3`, `block0.mlp@3`, `block0.unit2.hidden@0`, `resid.0@*` |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from peabench.mechanism.errors import MechanismError, quote

EveryPosition = Literal["*"]
Port = Literal["q", "k", "v"]

_NUMBER = "(?:0|[1-9][0-9]{0,5})"
_NODE = re.compile(
    rf"(?P<plain>embed|output)|input(?P<input>{_NUMBER})"
    rf"|block(?P<block>{_NUMBER})\.(?:(?P<part>head|unit)(?P<index>{_NUMBER})|(?P<mlp>mlp))"
)
_SITE = re.compile(rf"(?P<place>[^@]+?)(?:@(?P<position>{_NUMBER}|\*))?")
_RESIDUAL = re.compile(rf"resid\.(?P<layer>{_NUMBER})")

_PORTS: dict[str, Port] = {".q": "q", ".k": "k", ".v": "v"}


@dataclass(frozen=True)
class NodeAddress:
    """A node: an embedding, a head, an MLP, one of a block's parallel units, or the output (which only reads)."""

    kind: Literal["embed", "input", "head", "mlp", "unit", "output"]
    block: int | None = None
    """Block of a head, MLP or unit, counted from 0."""
    index: int | None = None
    """Number of a head or unit within its block; input column of an `input` node."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The node that `text` names; a MechanismError if it names none."""
        match = _NODE.fullmatch(text)
        if match is None:
            raise _wrong("a node such as 'embed', 'input3', 'block0.head1', 'block0.mlp' or 'block0.unit2'", text)
        if match["plain"]:
            return cls("embed" if match["plain"] == "embed" else "output")
        if match["input"]:
            return cls("input", index=int(match["input"]))
        if match["mlp"]:
            return cls("mlp", block=int(match["block"]))
        return cls("head" if match["part"] == "head" else "unit", int(match["block"]), int(match["index"]))

    def __str__(self) -> str:
        number = "" if self.index is None else str(self.index)
        return ("" if self.block is None else f"block{self.block}.") + self.kind + number


@dataclass(frozen=True)
class ReaderAddress:
    """Where a node reads the residual stream: heads read by `q`, `k` and `v`, all others in one place."""

    node: NodeAddress
    port: Port | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reader that `text` names; a MechanismError if it names none."""
        expected = "a reader such as 'output', 'block0.mlp', 'block0.unit2' or 'block1.head2.q'"
        port = _PORTS.get(text[-2:])
        try:
            node = NodeAddress.parse(text if port is None else text[:-2])
        except MechanismError:
            raise _wrong(expected, text) from None
        if node.kind in ("embed", "input"):
            raise _wrong(f"{expected} (embeddings read nothing)", text)
        if (node.kind == "head") != (port is not None):
            raise _wrong(f"{expected} (a head reads by .q, .k or .v, and only a head does)", text)
        return cls(node, port)

    def __str__(self) -> str:
        return str(self.node) + ("" if self.port is None else f".{self.port}")


@dataclass(frozen=True)
class EdgeAddress:
    """An edge, written `reader <- source`: what `source` writes to the residual stream, as `reader` sees it."""

    reader: ReaderAddress
    source: NodeAddress

    @classmethod
    def parse(cls, text: str) -> Self:
        """The edge that `text` names; a MechanismError if it names none or one that runs backwards."""
        reader_text, arrow, source_text = text.partition(" <- ")
        if not arrow:
            raise _wrong("an edge 'READER <- NODE' such as 'block1.head2.q <- block0.mlp'", text)
        reader, source = ReaderAddress.parse(reader_text), NodeAddress.parse(source_text)
        if not _comes_before(source, reader.node):
            raise _wrong("an edge whose source is computed before its reader", text)
        return cls(reader, source)

    def __str__(self) -> str:
        return f"{self.reader} <- {self.source}"


@dataclass(frozen=True)
class SiteAddress:
    """A place where activations live: the residual stream, a node's output or its hidden neurons, at a position.

    `resid.L` is the stream before block L: `resid.0` is the embedding and `resid.<number of blocks>` is what
    `output` reads. A site written without a position is at position 0.
    """

    place: int | NodeAddress
    """L of `resid.L`, or a node."""
    hidden: bool = False
    """Whether the site is the hidden neurons of an MLP or unit, not its output."""
    position: int | EveryPosition = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The site that `text` names; a MechanismError if it names none."""
        expected = "a site such as 'resid.1@3', 'block0.mlp@3', 'block0.unit2.hidden@0' or 'resid.0@*'"
        match = _SITE.fullmatch(text)
        if match is None:
            raise _wrong(expected, text)
        position: int | EveryPosition = "*" if match["position"] == "*" else int(match["position"] or 0)
        residual = _RESIDUAL.fullmatch(match["place"])
        if residual is not None:
            return cls(int(residual["layer"]), False, position)
        stem, hidden = match["place"].removesuffix(".hidden"), match["place"].endswith(".hidden")
        try:
            node = NodeAddress.parse(stem)
        except MechanismError:
            raise _wrong(expected, text) from None
        if node.kind == "output" or (hidden and node.kind not in ("mlp", "unit")):
            raise _wrong(f"{expected} (only MLPs and units have hidden neurons, and 'output' only reads)", text)
        return cls(node, hidden, position)

    def __str__(self) -> str:
        place = f"resid.{self.place}" if isinstance(self.place, int) else str(self.place)
        return f"{place}{'.hidden' if self.hidden else ''}@{self.position}"


def _comes_before(source: NodeAddress, reader: NodeAddress) -> bool:
    if source.kind == "output":
        return False
    if source.block is None or reader.block is None:
        return True
    if source.block == reader.block:
        # Within a block only an MLP reads what was written there: heads, and units, work side by side.
        return source.kind == "head" and reader.kind == "mlp"
    return source.block < reader.block


def _wrong(expected: str, text: str) -> MechanismError:
    return MechanismError(f"expected {expected}, got {quote(text)}; correct the address")


def _node(text: str) -> str:
    return str(NodeAddress.parse(text))


def _reader(text: str) -> str:
    return str(ReaderAddress.parse(text))


def _edge(text: str) -> str:
    return str(EdgeAddress.parse(text))


def _site(text: str) -> str:
    return str(SiteAddress.parse(text))


Node = Annotated[str, AfterValidator(_node), Field(examples=["block0.head1"])]
"""A string that is a valid node address."""
Reader = Annotated[str, AfterValidator(_reader), Field(examples=["block1.head2.q"])]
"""A string that is a valid reader address."""
Edge = Annotated[str, AfterValidator(_edge), Field(examples=["block1.head2.q <- block0.mlp"])]
"""A string that is a valid edge address."""
Site = Annotated[str, AfterValidator(_site), Field(examples=["resid.1@3"])]
"""A string that is a valid site address, brought to the form with its position (`resid.1` becomes `resid.1@0`)."""
