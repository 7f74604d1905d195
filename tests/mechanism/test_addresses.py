"""Addresses: every valid one survives parsing and printing, everything else is refused in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from peabench.mechanism import (
    Edge,
    EdgeAddress,
    MechanismError,
    NodeAddress,
    ReaderAddress,
    Site,
    SiteAddress,
)

numbers = st.integers(0, 12)
parts = st.one_of(
    st.builds(lambda b, i: f"block{b}.head{i}", numbers, numbers),
    st.builds(lambda b: f"block{b}.mlp", numbers),
    st.builds(lambda b, i: f"block{b}.unit{i}", numbers, numbers),
)
sources = st.one_of(st.just("embed"), st.builds(lambda i: f"input{i}", numbers), parts)


def readers_of(node: str) -> list[str]:
    return [f"{node}.{port}" for port in "qkv"] if ".head" in node else [node]


readers = st.one_of(st.just("output"), parts.flatmap(lambda node: st.sampled_from(readers_of(node))))
positions = st.one_of(st.just("*"), numbers.map(str))
places = st.one_of(
    numbers.map(lambda layer: f"resid.{layer}"),
    sources,
    parts.filter(lambda node: ".head" not in node).map(lambda node: f"{node}.hidden"),
)


@given(sources)
def test_nodes_round_trip(text: str) -> None:
    assert str(NodeAddress.parse(text)) == text


@given(readers)
def test_readers_round_trip(text: str) -> None:
    assert str(ReaderAddress.parse(text)) == text


@given(readers, sources)
def test_edges_round_trip_exactly_when_the_source_comes_first(reader: str, source: str) -> None:
    def time(address: str) -> float:
        """Heads and units of a block at its start, its MLP half a step later."""
        if address in ("embed", "output") or address.startswith("input"):
            return 100.0 if address == "output" else -1.0
        block, part = address.split(".")[:2]
        return int(block.removeprefix("block")) + (0.5 if part == "mlp" else 0.0)

    text = f"{reader} <- {source}"
    same_block_of_units = reader.split(".")[0] == source.split(".")[0] and ".unit" in source
    if time(source) < time(reader) and not same_block_of_units:
        assert str(EdgeAddress.parse(text)) == text
        assert TypeAdapter(Edge).validate_python(text) == text
    else:
        with pytest.raises(MechanismError, match="computed before its reader"):
            EdgeAddress.parse(text)


@given(places, positions)
def test_sites_round_trip(place: str, position: str) -> None:
    text = f"{place}@{position}"
    assert str(SiteAddress.parse(text)) == text


def test_parsed_parts_are_what_the_text_says() -> None:
    edge = EdgeAddress.parse("block1.head2.q <- block0.mlp")
    assert edge.reader == ReaderAddress(NodeAddress("head", 1, 2), "q")
    assert edge.source == NodeAddress("mlp", 0)
    assert NodeAddress.parse("input3") == NodeAddress("input", index=3)
    assert SiteAddress.parse("resid.1@3") == SiteAddress(1, position=3)
    assert SiteAddress.parse("block0.unit2.hidden@*") == SiteAddress(NodeAddress("unit", 0, 2), True, "*")


def test_a_site_without_position_is_at_position_zero() -> None:
    assert TypeAdapter(Site).validate_python("resid.1") == "resid.1@0"
    assert TypeAdapter(Site).validate_python("block0.unit1.hidden") == "block0.unit1.hidden@0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "embed0",
        "input",
        "input-1",
        "input03",
        "block0",
        "block0.head",
        "block.mlp",
        "block0.mlp1",
        "block1 .mlp",
        "block0.unit٣",
        "block0.unit1\n",
        "resid.1",
        "block0.head1.q",
        "Block0.mlp",
        "input1234567",
        "../input1",
    ],
)
def test_bad_nodes_are_refused(text: str) -> None:
    with pytest.raises(MechanismError, match=r"expected a node such as .*got"):
        NodeAddress.parse(text)


@pytest.mark.parametrize(
    "text", ["embed", "input0", "block0.head1", "block0.mlp.q", "output.q", "block0.head1.o", ".q"]
)
def test_bad_readers_are_refused(text: str) -> None:
    with pytest.raises(MechanismError, match="expected a reader such as"):
        ReaderAddress.parse(text)


@pytest.mark.parametrize(
    "text",
    ["output", "output<-embed", "output <-  embed", "embed <- output", "output <- output", "output <- a <- b", " <- "],
)
def test_bad_edges_are_refused_by_parser_and_type(text: str) -> None:
    with pytest.raises(MechanismError):
        EdgeAddress.parse(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Edge).validate_python(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@1",
        "resid.1@",
        "resid.1@-1",
        "resid.1@**",
        "resid.x@0",
        "resid@0",
        "output@0",
        "block0.head1.hidden@0",
        "resid.1.hidden@0",
        "embed.hidden@0",
        "block0.mlp@1@2",
        "resid.1@0\n",
        "block0.head1.q@0",
    ],
)
def test_bad_sites_are_refused(text: str) -> None:
    with pytest.raises(MechanismError, match="expected a site such as"):
        SiteAddress.parse(text)
