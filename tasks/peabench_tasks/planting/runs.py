"""Runs of many transformers at once in which groups of rows take edges and subspaces from other inputs.

A reader sees the sum of what all columns hold: those of other inputs are known before the run, so their part is one
product for all readers of all networks; in the run each stage adds what is written now.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.layout import Layout


@dataclass
class Run:
    """What a run of all networks computed. What comes after the last attention holds the last position alone."""

    columns: list[Float[Tensor, "stack row position d_model"]]
    boundaries: list[Float[Tensor, "stack row position d_model"]]
    """The residual stream before each block, and before the output."""
    logits: Float[Tensor, "stack row output"]
    """At the last position."""


def spread(x: Tensor, groups: int) -> Tensor:
    """Each network's part as often as there are groups, in a row."""
    return x[:, None].expand(-1, groups, *x.shape[1:]).flatten(0, 1)


def along_basis(
    x: Float[Tensor, "stack row position d"], basis: Float[Tensor, "stack d k"]
) -> Float[Tensor, "stack row position k"]:
    """Coordinates; one product for each network instead of one for each row."""
    return torch.bmm(x.flatten(1, 2), basis).view(*x.shape[:3], -1)


@dataclass
class Patch:
    """What groups of rows take from other inputs: edges, whose readers see what a node wrote there, and subspaces."""

    groups: int
    keep: Float[Tensor, "stack reader column"]
    """1 where a reader sees what is written now."""
    everywhere: Float[Tensor, "stack reader row_position_d"]
    """What each reader sees of other inputs, for readers at all positions."""
    at_last: Float[Tensor, "stack reader row_d"]
    """The same for readers at the last position alone."""
    basis: Float[Tensor, "stack d_model k"]
    swaps: list[tuple[Float[Tensor, "stack boundary position k"], list[Tensor]]]
    """Which coordinates are set at each boundary, and other inputs' boundaries."""

    @classmethod
    def between(
        cls,
        layout: Layout,
        clean: Run,
        shifts: tuple[int, int],
        edges: tuple[Float[Tensor, "network group reader column"], Float[Tensor, "network group reader column"]],
        bases: Float[Tensor, "network d_model k"],
        select: Float[Tensor, "source network group boundary position k"],
    ) -> "Patch":
        """Two masks of edges and two selections of coordinates, each with how far away in the pool its source is."""
        networks, groups, n_readers = edges[0].shape[:3]
        masks = torch.cat([mask * layout.exists for mask in edges], -1)
        after, full = layout.everywhere_readers, layout.everywhere_columns
        columns = [column.detach() for column in clean.columns]

        def incoming(readers: slice, some: list[Tensor]) -> Tensor:
            other = torch.stack([c.roll(shift, 1) for shift in shifts for c in some], 1)
            n = len(clean.columns)
            places = [*range(len(some)), *range(n, n + len(some))]
            mask = masks[:, :, readers][..., places].flatten(1, 2)
            return torch.bmm(mask, other.flatten(2)).view(networks * groups, -1, other[0, 0].numel())

        return cls(
            groups,
            (1 - edges[0] - edges[1]).flatten(0, 1),
            incoming(slice(0, after), columns[:full]),
            incoming(slice(after, n_readers), [c[:, :, -1:] for c in columns]),
            spread(bases, groups),
            [
                (chosen.flatten(0, 1), [spread(b.detach().roll(shift, 1), groups) for b in clean.boundaries])
                for shift, chosen in zip(shifts, select, strict=True)
            ],
        )

    def interchange(self, index: int, resid: Float[Tensor, "stack row position d_model"]) -> Tensor:
        """How the stream at a boundary changes."""
        change = torch.zeros(())
        for select, theirs in self.swaps:
            along = along_basis(theirs[index] - resid, self.basis)
            change = change + along * select[:, index, None, -resid.shape[2] :]
        return along_basis(change, self.basis.transpose(1, 2))


def run_stack(
    stack: StackedTransformer,
    layout: Layout,
    halves: list[Float[Tensor, "network head"]],
    tokens: Int[Tensor, "network row position"],
    patch: Patch | None = None,
) -> Run:
    """A run of all networks, in groups of rows with edges and subspaces patched where there is a patch.

    Args:
        stack: the networks.
        layout: which heads come first, and have reads of their own.
        halves: of each block, 1 for the other heads that are summed in `rest0`, 0 for those in `rest1`.
        tokens: inputs.
        patch: what is taken from other inputs.
    """
    config = stack.config
    rows, length = tokens.shape[1:]
    embedded = stack.embed(tokens)
    if patch is not None:
        embedded = spread(embedded, patch.groups)
    lead = len(embedded)
    columns, boundaries = [embedded], list[Tensor]()
    resid = embedded
    moved = torch.zeros_like(embedded)  # by interchanges; every reader sees it
    at_reader = {name: i for i, name in enumerate(layout.readers)}

    def boundary(index: int) -> None:
        nonlocal resid, moved
        if patch is not None:
            change = patch.interchange(index, resid)
            resid, moved = resid + change, moved[:, :, -change.shape[2] :] + change
        boundaries.append(resid)

    def read(patch: Patch, first: int, count: int, incoming: Tensor, before: int = 0) -> Tensor:
        here = torch.stack([c[:, :, -resid.shape[2] :] for c in (*columns, moved)], 1)
        keep = pad(patch.keep[:, first : first + count, : len(columns)], (0, 1), value=1.0)
        reads = torch.baddbmm(incoming[:, first - before : first - before + count], keep, here.flatten(2))
        return reads.view(lead, count, *resid.shape[1:])

    def write(new: list[Tensor]) -> None:
        nonlocal resid
        for column in new:
            resid = resid + column
        columns.extend(new)

    heads, e = config.n_heads, config.d_head
    for block in range(config.n_blocks):
        last = block == config.n_blocks - 1
        slots = layout.slots[block]
        boundary(block)
        parts = []
        if slots:
            if patch is None:
                reads = resid[:, None].expand(-1, 3 * slots, -1, -1, -1)
            else:
                reads = read(patch, at_reader["head0.q", block], 3 * slots, patch.everywhere)
            parts.append(stack.project(block, slice(0, slots), reads.flatten(2, 3)))
        if slots < heads:
            parts.append(stack.project_together(block, slice(slots, heads), resid.flatten(1, 2)))
        q, k, v = torch.cat(parts, 1).unflatten(3, (rows, length)).unbind(2)
        if last:
            q, resid = q[..., -1:, :], resid[..., -1:, :]
        mixed = stack.attend(q, k, v)  # [lead, head, row, query, e]
        w_o = stack.weight(f"block{block}.attention.w_o", lead)
        asked = mixed.shape[3]
        own = torch.bmm(
            mixed[:, :slots].reshape(lead * slots, rows * asked, e),
            w_o[:, :slots].reshape(lead * slots, e, resid.shape[-1]),
        ).view(lead, slots, rows, asked, resid.shape[-1])
        half = halves[block].repeat_interleave(lead // len(tokens), 0)[..., None, None]
        others = mixed[:, slots:].permute(0, 2, 3, 1, 4).reshape(lead, rows * asked, -1)
        wide = torch.cat([w_o[:, slots:] * half, w_o[:, slots:] * (1 - half)], -1).flatten(1, 2)
        bias = pad(stack.weight(f"block{block}.attention.b_o", lead), (0, resid.shape[-1]))
        rest = torch.baddbmm(bias[:, None], others, wide).view(lead, rows, asked, 2, -1)
        write([*own.unbind(1), *rest.unbind(3)])
        if config.d_mlp:
            x = resid
            if layout.mlp_reads[block] and patch is not None:
                incoming, before = (patch.at_last, layout.everywhere_readers) if last else (patch.everywhere, 0)
                x = read(patch, at_reader["mlp", block], 1, incoming, before)[:, 0]
            write([stack.mlp(block, x.flatten(1, 2)).view(x.shape)])
    boundary(config.n_blocks)
    x = resid
    if patch is not None:
        x = read(patch, at_reader["output", config.n_blocks], 1, patch.at_last, layout.everywhere_readers)[:, 0]
    return Run(columns, boundaries, stack.unembed(x[..., 0, :]))
