"""The engine's core: rerun a network with edges and subspaces taken from other runs, many hypotheses at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions.activations import Activations
from peabench.networks import Network


@dataclass(frozen=True)
class EdgePatch:
    """Edges whose reader sees what the node wrote in another run.

    `mask` is 1 where `reader <- node` is taken from `source` and 0 where it is left alone; values between interpolate,
    and gradients flow through them (edge attribution patching is the gradient at 0).
    """

    mask: Float[Tensor, "hypothesis reader node"]
    source: Float[Tensor, "node #hypothesis batch position d_model"]


@dataclass(frozen=True)
class SubspacePatch:
    """Coordinates of the residual stream before a stage, set to given values: x + ((values - x Q) * select) Q^T."""

    stage: int
    basis: Float[Tensor, "#hypothesis d_model k"]
    """Orthonormal columns."""
    values: Float[Tensor, "#hypothesis batch #position k"]
    select: Float[Tensor, "#hypothesis #batch #position k"] | None = None
    """1 where a coordinate is set, 0 where it keeps its own value; None sets all."""

    def apply(self, resid: Float[Tensor, "hypothesis batch position d_model"]) -> Tensor:
        """The residual stream with the coordinates set."""
        basis = self.basis[:, None]
        change = self.values - resid @ basis
        if self.select is not None:
            change = change * self.select
        return resid + change @ basis.transpose(-1, -2)


def run_patched(
    network: Network,
    base: Activations,
    edges: Sequence[EdgePatch] = (),
    subspaces: Sequence[SubspacePatch] = (),
    *,
    hypotheses: int = 1,
) -> Float[Tensor, "hypothesis batch position output"]:
    """Logits of the base inputs under interventions, all hypotheses in one pass.

    Each reader reads the residual stream of its own run plus, for every patched edge, the difference between what the
    node wrote in the source run and what it writes now (the residual stream is a sum, so an edge is an addend).
    Hypotheses share one run up to the first stage at which any of them patches.

    Args:
        network: the network.
        base: its activations on the base inputs.
        edges: edge patches, all applied together.
        subspaces: residual-stream coordinates to set, all applied together.
        hypotheses: length of the hypothesis axis of the result.
    """
    graph = network.graph
    resid = base.resid[0].transpose(0, 1)[None]
    embedded = base.embedded.permute(2, 1, 0, 3)
    differences = [[patch.source[: len(embedded)] - embedded[:, None]] for patch in edges]
    for index in range(len(graph.stages) + 1):
        for subspace in subspaces:
            if subspace.stage == index:
                resid = subspace.apply(resid)
        last = index == len(graph.stages)
        readers = _slice(graph.readers_at(index))
        reads = resid[None]
        for patch, chunks in zip(edges, differences, strict=True):
            sizes = [len(chunk) for chunk in chunks]
            masks = patch.mask[:, readers, : sum(sizes)].split(sizes, 2)
            used = [i for i, mask in enumerate(masks) if mask.requires_grad or mask.any()]
            if used:  # where no reader of a stage is patched, all share one read
                mask = torch.cat([masks[i] for i in used], 2).expand(hypotheses, -1, -1)
                reads = _with_masked_sum(reads, mask, [chunks[i] for i in used])
        if last:
            return network.unembed(reads[0]).expand(hypotheses, -1, -1, -1)
        outputs = network.stage(index, reads)
        resid = network.advance(index, resid, outputs)
        nodes = _slice(graph.stages[index].nodes)
        for patch, chunks in zip(edges, differences, strict=True):
            chunks.append(patch.source[nodes] - outputs)
    raise AssertionError("unreachable: the loop returns at the output reader")


def _with_masked_sum(
    reads: Float[Tensor, "#reader #hypothesis batch position d_model"],
    mask: Float[Tensor, "hypothesis reader node"],
    chunks: Sequence[Float[Tensor, "chunk #hypothesis batch position d_model"]],
) -> Float[Tensor, "reader hypothesis batch position d_model"]:
    """Reads plus each reader's sum of the nodes in its mask: one product, as large arrays are slow to pass over."""
    shape = (len(mask), -1, *reads.shape[2:])
    nodes = torch.cat([chunk.transpose(0, 1).expand(*shape) for chunk in chunks], 1).flatten(2)
    summed = torch.baddbmm(reads.transpose(0, 1).flatten(2).expand(len(mask), -1, -1), mask, nodes)
    return summed.view(shape).transpose(0, 1)


def _slice(indices: range) -> slice:
    return slice(indices.start, indices.stop)
