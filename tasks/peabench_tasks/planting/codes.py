"""What nodes should write in the planted subspaces, and how far they are from it."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from peabench.mechanism.kinds import bounds
from peabench_tasks.planting.layout import Layout
from peabench_tasks.planting.program import Program
from peabench_tasks.planting.runs import along_basis
from peabench_tasks.planting.subspaces import subspaces


def distances_from_codes(
    program: Program,
    layout: Layout,
    bases: Float[Tensor, "network d_model k"],
    values: Mapping[str, Shaped[Tensor, "network row ..."]],
    columns: list[Float[Tensor, "network row position d_model"]],
) -> Float[Tensor, "step network"]:
    """Mean squared distance of what the circuit's nodes write in their subspaces from their codes, in units of the
    codes' mean square: a step whose codes lie far apart counts no more than another.

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
        distances.append((written - wanted).square().mean((1, 2, 3)) / code.square().mean() + beside)
    return torch.stack(distances)


def intrusion(
    program: Program,
    layout: Layout,
    bases: Float[Tensor, "network d_model k"],
    columns: list[Float[Tensor, "network row position d_model"]],
) -> Float[Tensor, " network"]:
    """Variance of what is written in the planted subspaces by anyone but their own nodes: readers would mistake it.

    The answer's subspace, which the output alone reads, is open to all: there nothing counts but the answer.
    """
    spans = subspaces(program)
    foreign = torch.ones(len(bases), len(columns), bases.shape[-1])
    for variable, writer in layout.writers.items():
        foreign[torch.arange(len(bases)), writer, spans[variable]] = 0
    for answer, _ in program.outputs:
        foreign[:, :, spans[answer]] = 0
    total = torch.zeros(len(bases))
    full = layout.everywhere_columns
    for some, theirs in ((columns[:full], foreign[:, :full]), (columns[full:], foreign[:, full:])):
        if some:
            joined = torch.cat(some, 1)
            along = along_basis(joined, bases).unflatten(1, (len(some), -1))
            along = (along - along.mean(2, keepdim=True)) * theirs[:, :, None, None]
            total = total + along.square().mean((2, 3)).sum((1, 2))
    return total
