"""Where networks begin: who may read and write which part of the residual stream while the steps are learnt.

The stream is cut into the planted subspaces, one for the tokens, one for the positions and one for all that is no part
of the circuit. Confined, a reader of the circuit sees its parents and the positions alone, so that what it learns holds
whatever the rest of the network does. Planting then goes on without these walls.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Transformer
from peabench.training.stacked import orthonormal
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.layout import PORTS, Layout
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.program import TOKENS, Program

LEAST_REST = 0.2
"""Share of the stream that is at least left to the rest of the network."""


def subspaces(program: Program) -> dict[str, slice]:
    """Columns of the planted basis that hold each step's variable."""
    found, at = {}, 0
    for step in program.steps:
        found[step.variable] = slice(at, at + step.code.shape[-1])
        at += step.code.shape[-1]
    return found


def planted_size(program: Program) -> int:
    """Columns of the planted basis."""
    return sum(step.code.shape[-1] for step in program.steps)


@dataclass
class Confinement:
    """Projections of weights, by the name of the parameter, onto what readers may read or nodes may write."""

    reads: dict[str, Float[Tensor, "network ... d_model d_model"]]
    writes: dict[str, Float[Tensor, "network ... d_model d_model"]]

    @torch.no_grad()
    def apply(self, stack: StackedTransformer) -> None:
        """Project the networks' weights."""
        for name, projection in self.reads.items():
            stack.parameters[name].copy_(projection @ stack.parameters[name])
        for name, projection in self.writes.items():
            stack.parameters[name].copy_(stack.parameters[name] @ projection)


def initial_networks(placements: list[Placement], seeds: list[int]) -> list[Transformer]:
    """Random networks in which like attends to like at first: heads that match tokens then learn it."""
    networks = [Transformer(p.config, torch.Generator().manual_seed(s)) for p, s in zip(placements, seeds, strict=True)]
    with torch.no_grad():
        for network in networks:
            for block in range(network.config.n_blocks):
                weight = network.block(block).attention.w_qkv
                weight[:, 1] = weight[:, 0]
    return networks


def whole_bases(placements: list[Placement], seeds: list[int]) -> Float[Tensor, "network d_model d_model"]:
    """A random orthonormal basis for each network; its first columns are the planted ones."""
    d_model = placements[0].config.d_model
    return torch.stack([orthonormal((d_model, d_model), torch.Generator().manual_seed(seed)) for seed in seeds])


def confine(
    placements: list[Placement], layout: Layout, bases: Float[Tensor, "network d_model d_model"]
) -> Confinement:
    """Walls for networks in the layout's order.

    Raises:
        RuntimeError: the stream is too narrow for the program.
    """
    program, config = placements[0].program, placements[0].config
    spans, planted = subspaces(program), planted_size(program)
    room = config.d_model - planted - round(LEAST_REST * config.d_model)
    if room < 2:
        raise RuntimeError(f"{planted} planted directions of {program.name} do not fit d_model {config.d_model}")
    tokens = min(config.d_vocabulary - 1, (room + 1) // 2)
    positions = min(config.n_positions - 1, room - tokens)
    spans[TOKENS] = slice(planted, planted + tokens)
    where = slice(planted + tokens, planted + tokens + positions)
    rest = slice(planted + tokens + positions, config.d_model)

    def onto(*columns: slice) -> Float[Tensor, "network d_model d_model"]:
        chosen = torch.zeros(config.d_model)
        for some in columns:
            chosen[some] = 1
        return (bases * chosen) @ bases.transpose(1, 2)

    reads: dict[str, Tensor] = {}
    writes = {"w_embed": onto(spans[TOKENS]), "w_position": onto(where)}
    everything = torch.eye(config.d_model)
    for block in range(config.n_blocks):
        shape = (len(placements), config.n_heads)
        reads[f"block{block}.attention.w_qkv"] = everything.expand(*shape, 3, -1, -1).clone()
        writes[f"block{block}.attention.w_o"] = onto(rest)[:, None].repeat(1, config.n_heads, 1, 1)
        if config.d_mlp:
            reads[f"block{block}.mlp.w_in"] = everything.expand(len(placements), -1, -1).clone()
            writes[f"block{block}.mlp.w_out"] = onto(rest)
    for k in range(len(placements)):
        for step in program.steps:
            name, block = layout.columns[int(layout.writers[step.variable][k])]
            if name == "mlp":
                seen = onto(where, *(spans[read.parent] for read in step.reads))
                reads[f"block{block}.mlp.w_in"][k] = seen[k]
                writes[f"block{block}.mlp.w_out"][k] = onto(spans[step.variable])[k]
                continue
            head = int(name.removeprefix("head"))
            for i, port in enumerate(PORTS):
                seen = onto(where, *(spans[read.parent] for read in step.reads if read.port == port))
                reads[f"block{block}.attention.w_qkv"][k, head, i] = seen[k]
            writes[f"block{block}.attention.w_o"][k, head] = onto(spans[step.variable])[k]
    reads["w_output"] = onto(*(spans[parent] for parent, _ in program.outputs))
    return Confinement(reads, writes)
