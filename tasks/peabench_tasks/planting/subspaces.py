"""The planted subspaces: which coordinates hold which variable, where networks begin, and what nodes should write."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from peabench.mechanism.kinds import bounds
from peabench.networks import Transformer
from peabench.training.stacked import orthonormal
from peabench_tasks.planting.layout import Layout
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.program import Program
from peabench_tasks.planting.runs import along_basis


def subspaces(program: Program) -> dict[str, slice]:
    """Columns of the planted basis that hold each step's variable."""
    found, at = {}, 0
    for step in program.steps:
        found[step.variable] = slice(at, at + step.code.shape[-1])
        at += step.code.shape[-1]
    return found


def planted_bases(placements: list[Placement], seeds: list[int]) -> Float[Tensor, "network d_model k"]:
    """Random orthonormal columns for each network, one set per variable."""
    size = sum(step.code.shape[-1] for step in placements[0].program.steps)
    d_model = placements[0].config.d_model
    return torch.stack([orthonormal((d_model, size), torch.Generator().manual_seed(s)) for s in seeds])


def initial_networks(
    placements: list[Placement], layout: Layout, bases: Float[Tensor, "network d_model k"], seeds: list[int]
) -> list[Transformer]:
    """Random networks in the layout's order whose circuit nodes already write in their planted subspaces."""
    spans = subspaces(placements[0].program)
    networks = []
    for k, (placement, seed) in enumerate(zip(placements, seeds, strict=True)):
        generator = torch.Generator().manual_seed(seed)
        network = Transformer(placement.config, generator)
        with torch.no_grad():
            for block in range(placement.config.n_blocks):
                qkv = network.block(block).attention.w_qkv
                qkv[:, 1] = qkv[:, 0]  # like attends to like: heads that match tokens then start
            beside = torch.eye(placement.config.d_model) - bases[k] @ bases[k].T
            for name, weight in network.named_parameters():
                if name.endswith(("w_embed", "w_o", "mlp.w_out")):
                    weight.copy_(weight @ beside)  # nobody else begins in the planted subspaces
            for variable, column in layout.writers.items():
                name, block = layout.columns[int(column[k])]
                span = bases[k][:, spans[variable]]
                if name == "mlp":
                    weight = network.block(block).mlp.w_out.data
                else:
                    weight = network.block(block).attention.w_o.data[int(name.removeprefix("head"))]
                noise = torch.randn(weight.shape[0], span.shape[1], generator=generator)
                weight.copy_(weight.norm() * noise @ span.T / noise.norm())
        networks.append(network)
    return networks


def distances_from_codes(
    program: Program,
    layout: Layout,
    bases: Float[Tensor, "network d_model k"],
    values: Mapping[str, Shaped[Tensor, "network row ..."]],
    columns: list[Float[Tensor, "network row position d_model"]],
) -> Float[Tensor, "step network"]:
    """Mean squared distance of what the circuit's nodes write in their subspaces from their codes.

    What they write beside, which should be the same for all inputs, counts by its variance.
    """
    spans = subspaces(program)
    distances = []
    networks = torch.arange(len(bases))
    everywhere = torch.stack(columns[: layout.everywhere_columns], 1)
    at_last = torch.stack([c[:, :, -1:] for c in columns], 1)
    for step in program.steps:
        low, _ = bounds(program.model.kinds[step.variable]) or (0, 0)
        index = values[step.variable].long() - low
        code = step.code
        writer = layout.writers[step.variable]
        if step.everywhere and bool((writer < everywhere.shape[1]).all()):
            out = everywhere[networks, writer]
            wanted = code[torch.arange(index.shape[-1]) if code.shape[0] > 1 else 0, index]
        else:
            out = at_last[networks, writer]
            wanted = code[-1, index[..., -1:] if step.everywhere else index[..., None]]
        span = bases[:, :, spans[step.variable]]
        written = along_basis(out, span)
        beside = out - along_basis(written, span.transpose(1, 2))
        beside = (beside - beside.mean(1, keepdim=True)).square().sum(-1).mean((1, 2))
        distances.append((written - wanted).square().mean((1, 2, 3)) + beside)
    return torch.stack(distances)


def intrusion(
    program: Program,
    layout: Layout,
    bases: Float[Tensor, "network d_model k"],
    columns: list[Float[Tensor, "network row position d_model"]],
) -> Float[Tensor, " network"]:
    """Variance of what is written in the planted subspaces by anyone but their own nodes: readers would mistake it."""
    spans = subspaces(program)
    foreign = torch.ones(len(bases), len(columns), bases.shape[-1])
    for variable, writer in layout.writers.items():
        foreign[torch.arange(len(bases)), writer, spans[variable]] = 0
    total = torch.zeros(len(bases))
    full = layout.everywhere_columns
    for some, theirs in ((columns[:full], foreign[:, :full]), (columns[full:], foreign[:, full:])):
        if some:
            joined = torch.cat(some, 1)
            along = along_basis(joined, bases).unflatten(1, (len(some), -1))
            along = (along - along.mean(2, keepdim=True)) * theirs[:, :, None, None]
            total = total + along.square().mean((2, 3)).sum((1, 2))
    return total
