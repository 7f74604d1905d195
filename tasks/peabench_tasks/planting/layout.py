"""How placements are laid out for training: the circuit's heads first in each block, the rest of a block as two nodes.

Only readers of the circuit need a read of their own; the other heads of a block read the stream as it is, and their
outputs are summed in two random halves (columns `rest`), each of which may be resampled on its own.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.networks import Transformer
from peabench.networks.config import TransformerConfig
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.program import TOKENS

PORTS = ("q", "k", "v")


@dataclass(frozen=True)
class Layout:
    """Columns (what is written) and readers of several placements of one program in one shape of network."""

    config: TransformerConfig
    order: Int[Tensor, "network block head"]
    """The network's own number of each head of the layout."""
    slots: tuple[int, ...]
    """Heads of each block that have reads of their own."""
    mlp_reads: tuple[bool, ...]
    """Whether the block's MLP has a read of its own."""
    columns: tuple[tuple[str, int], ...]
    """Name and block of each column: `embed`, `head<slot>`, `rest0`, `rest1`, `mlp`."""
    readers: tuple[tuple[str, int], ...]
    """Name and block: `head<slot>.q`, ..., `mlp`, `output`."""
    circuit: Float[Tensor, "network reader column"]
    edges: Int[Tensor, "edge network 2"]
    """(reader, column) of each circuit edge, in the order of `Placement.edges`."""
    writers: dict[str, Int[Tensor, " network"]]
    """Column of each step's variable."""

    @property
    def everywhere_columns(self) -> int:
        """Columns written before the last attention, at all positions; later ones are at the last position alone."""
        return sum(block < self.config.n_blocks - 1 for _, block in self.columns)

    @property
    def everywhere_readers(self) -> int:
        """Readers at all positions: those before the last block's MLP."""
        last = self.config.n_blocks - 1
        return sum(block < last or (block == last and name.startswith("head")) for name, block in self.readers)

    @property
    def exists(self) -> Float[Tensor, "reader column"]:
        """1 where the column is written before the reader reads."""
        rank = {"head": 0, "rest": 0, "mlp": 1, "embed": 0, "output": 0}
        written = torch.tensor([2 * block + rank[name.rstrip("0123456789")] for name, block in self.columns])
        reads = [2 * block + rank[name.partition(".")[0].rstrip("0123456789")] for name, block in self.readers]
        return (written < torch.tensor(reads)[:, None]).float()

    def arranged(self, network: Transformer, index: int) -> Transformer:
        """The network with its heads in the layout's order."""
        for block in range(self.config.n_blocks):
            attention = network.block(block).attention
            order = self.order[index, block]
            with torch.no_grad():
                for weight in (attention.w_qkv, attention.b_qkv, attention.w_o):
                    weight.copy_(weight[order].clone())
        return network

    def restored(self, network: Transformer, index: int) -> Transformer:
        """The network with its heads in their own order."""
        for block in range(self.config.n_blocks):
            attention = network.block(block).attention
            order = self.order[index, block]
            with torch.no_grad():
                for weight in (attention.w_qkv, attention.b_qkv, attention.w_o):
                    weight[order] = weight.clone()
        return network


def lay_out(placements: list[Placement]) -> Layout:
    """The common layout of some placements."""
    config = placements[0].config
    heads, blocks = config.n_heads, config.n_blocks
    mine = [[[h for _, (b, h) in p.heads.items() if b == block] for block in range(blocks)] for p in placements]
    slots = tuple(max(len(of[block]) for of in mine) for block in range(blocks))
    order = torch.tensor([[h + [i for i in range(heads) if i not in h] for h in of] for of in mine])
    mlp_reads = tuple(any(block in p.mlps.values() for p in placements) for block in range(blocks))
    columns: list[tuple[str, int]] = [("embed", -1)]
    readers: list[tuple[str, int]] = []
    for block in range(blocks):
        columns += [(f"head{s}", block) for s in range(slots[block])]
        readers += [(f"head{s}.{port}", block) for s in range(slots[block]) for port in PORTS]
        columns += [("rest0", block), ("rest1", block)]
        if config.d_mlp:
            columns.append(("mlp", block))
        if mlp_reads[block]:
            readers.append(("mlp", block))
    readers.append(("output", blocks))

    def writer(k: int, variable: str) -> tuple[str, int]:
        if variable == TOKENS:
            return "embed", -1
        if variable in placements[k].mlps:
            return "mlp", placements[k].mlps[variable]
        block, head = placements[k].heads[variable]
        return f"head{mine[k][block].index(head)}", block

    def reader(k: int, step: str, port: str) -> tuple[str, int]:
        name, block = writer(k, step)
        return (name if port == "mlp" else f"{name}.{port}"), block

    program = placements[0].program
    edges: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for k in range(len(placements)):
        for step in program.steps:
            for read in step.reads:
                at = readers.index(reader(k, step.variable, read.port)), columns.index(writer(k, read.parent))
                edges.setdefault((step.variable, read.port, read.parent), []).append(at)
        for parent, _ in program.outputs:
            edges.setdefault(("", "output", parent), []).append((len(readers) - 1, columns.index(writer(k, parent))))
    indices = torch.tensor(list(edges.values()))
    circuit = torch.zeros(len(placements), len(readers), len(columns))
    for edge in indices:
        circuit[torch.arange(len(placements)), edge[:, 0], edge[:, 1]] = 1
    writers = {
        step.variable: torch.tensor([columns.index(writer(k, step.variable)) for k in range(len(placements))])
        for step in program.steps
    }
    return Layout(config, order, slots, mlp_reads, tuple(columns), tuple(readers), circuit, indices, writers)
