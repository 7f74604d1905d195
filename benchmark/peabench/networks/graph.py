"""The computational graph of a network: who writes to the residual stream, who reads it, and in which order."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks.config import ResidualMLPConfig, TransformerConfig


@dataclass(frozen=True)
class Stage:
    """Readers that read the residual stream at the same moment, and the nodes they write."""

    block: int
    kind: str
    """`units`, `attention` or `mlp`."""
    readers: range
    nodes: range


@dataclass(frozen=True)
class Graph:
    """Nodes (writers), readers, and the stages that join them.

    Edge `reader <- node` exists where the node is written before the reader reads: that is `node < n_visible(reader)`,
    because nodes are numbered in the order in which they are written.
    """

    nodes: tuple[str, ...]
    readers: tuple[str, ...]
    n_embedding_nodes: int
    stages: tuple[Stage, ...]
    n_blocks: int
    n_positions: int

    @property
    def output_reader(self) -> int:
        """Index of the reader `output`, the last one."""
        return len(self.readers) - 1

    @cached_property
    def fed_by(self) -> Int[Tensor, " reader"]:
        """The node that each reader feeds; for `output`, which feeds none, the number of nodes."""
        fed = torch.full((len(self.readers),), len(self.nodes))
        for stage in self.stages:
            ports = len(stage.readers) // len(stage.nodes)
            nodes = torch.arange(stage.nodes.start, stage.nodes.stop)
            fed[stage.readers.start : stage.readers.stop] = nodes.repeat_interleave(ports)
        return fed

    @cached_property
    def visible(self) -> Int[Tensor, " reader"]:
        """Number of nodes that each reader can see: nodes 0 .. visible - 1."""
        counts = torch.empty(len(self.readers), dtype=torch.long)
        for stage in self.stages:
            counts[stage.readers.start : stage.readers.stop] = stage.nodes.start
        counts[self.output_reader] = len(self.nodes)
        return counts

    @cached_property
    def exists(self) -> Bool[Tensor, "reader node"]:
        """True where the edge `reader <- node` exists."""
        return torch.arange(len(self.nodes)) < self.visible[:, None]

    @cached_property
    def edge_indices(self) -> Int[Tensor, "edge 2"]:
        """(reader, node) of each existing edge, in reader-major order."""
        return self.exists.nonzero()

    @cached_property
    def edges(self) -> tuple[str, ...]:
        """Addresses of all existing edges, in the order of `edge_indices`."""
        return tuple(f"{self.readers[r]} <- {self.nodes[n]}" for r, n in self.edge_indices.tolist())

    @cached_property
    def edge_number(self) -> dict[str, int]:
        """Position of each edge address in `edges`."""
        return {edge: i for i, edge in enumerate(self.edges)}

    def edge_index(self, edge: str) -> tuple[int, int]:
        """(reader, node) of an edge address.

        Raises:
            PeabenchError: the network has no such edge.
        """
        if edge not in self.edge_number:
            raise PeabenchError(f"expected an edge of this network such as {self.edges[-1]!r}, got {edge!r}")
        reader, node = self.edge_indices[self.edge_number[edge]].tolist()
        return reader, node

    def readers_at(self, stage: int) -> range:
        """Readers of a stage; for the number of stages, the output reader."""
        return self.stages[stage].readers if stage < len(self.stages) else range(self.output_reader, len(self.readers))

    def nodes_before(self, stage: int) -> range:
        """Nodes that are written just before a stage: those of the stage before it, for the first the embeddings."""
        return self.stages[stage - 1].nodes if stage else range(self.n_embedding_nodes)

    def first_stage_of_block(self, block: int) -> int:
        """Index of the first stage that reads at or after the residual stream `resid.<block>`."""
        return next((i for i, stage in enumerate(self.stages) if stage.block >= block), len(self.stages))


def residual_mlp_graph(config: ResidualMLPConfig) -> Graph:
    """One node per input column, one node per unit; every unit reads once."""
    nodes = [f"input{i}" for i in range(config.n_inputs)]
    readers: list[str] = []
    stages: list[Stage] = []
    for block in range(config.n_blocks):
        units = [f"block{block}.unit{u}" for u in range(config.n_units)]
        stages.append(
            Stage(
                block,
                "units",
                range(len(readers), len(readers) + len(units)),
                range(len(nodes), len(nodes) + len(units)),
            )
        )
        nodes += units
        readers += units
    return Graph(tuple(nodes), (*readers, "output"), config.n_inputs, tuple(stages), config.n_blocks, 1)


def transformer_graph(config: TransformerConfig) -> Graph:
    """One embedding node, one node per head (read by q, k and v separately), one per MLP."""
    nodes, readers, stages = ["embed"], list[str](), list[Stage]()

    def add(block: int, kind: str, new_readers: list[str], new_nodes: list[str]) -> None:
        at_reader, at_node = len(readers), len(nodes)
        readers.extend(new_readers)
        nodes.extend(new_nodes)
        stages.append(Stage(block, kind, range(at_reader, len(readers)), range(at_node, len(nodes))))

    for block in range(config.n_blocks):
        heads = [f"block{block}.head{h}" for h in range(config.n_heads)]
        add(block, "attention", [f"{head}.{read}" for head in heads for read in "qkv"], heads)
        if config.d_mlp:
            add(block, "mlp", [f"block{block}.mlp"], [f"block{block}.mlp"])
    return Graph(tuple(nodes), (*readers, "output"), 1, tuple(stages), config.n_blocks, config.n_positions)
