"""How many of the highest edges a network needs to keep its output when all others are ablated together."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.interventions import patch_hypotheses, replacement_nodes, run_with_cache
from peabench.interventions.edges import Ablation
from peabench.networks import Network
from peabench.tracks.pairs import predicted_class

ABLATIONS: tuple[Ablation, ...] = ("resample", "mean", "zero")
SIZES = tuple(1.12**step for step in range(-20, 80))
"""Numbers of top edges that are tried, relative to the true number: a geometric grid, never a linear one."""
FIRST_PAIRS = 32
SIZES_AT_ONCE = 4


def faithful_sizes(
    network: Network,
    edge_indices: Int[Tensor, "edge 2"],
    scores: Float[Tensor, " edge"],
    true_size: int,
    base: Int[Tensor, "pair column"],
    source: Int[Tensor, "pair column"],
) -> dict[Ablation, float]:
    """Least tried number of top edges that suffice under each ablation of all other candidates, over the true number.

    They suffice where the network's prediction is that of the whole network on every pair. Ablated edges carry what
    their nodes write on the sources row for row, the mean of that, or zero: which one is chosen can turn a verdict
    (Zhang and Nanda 2023, arXiv:2309.16042), so they stand side by side. Equal scores are taken together or not at all.
    """
    sizes = tried_sizes(scores, true_size)
    order = scores.argsort(descending=True, stable=True)
    masks = torch.stack([_cut(network, edge_indices[order[size:]]) for size in sizes])
    with torch.no_grad():
        whole = predicted_class(run_with_cache(network, base).logits)
        return {
            ablation: sizes[_first_faithful(network, masks, base, whole, replacement)] / true_size
            for ablation in ABLATIONS
            for replacement in [replacement_nodes(network, ablation, source)]
        }


def tried_sizes(scores: Float[Tensor, " edge"], true_size: int) -> list[int]:
    """The grid's sizes, each raised to where its run of equal scores ends; last the number of all edges."""
    total = len(scores)
    _, ties = (-scores).unique(return_counts=True)
    ends = ties.cumsum(0)
    grid = torch.tensor(sorted({min(total, max(1, round(true_size * ratio))) for ratio in SIZES} | {total}))
    return sorted(set(ends[torch.searchsorted(ends, grid)].tolist()))


def _first_faithful(
    network: Network,
    masks: Bool[Tensor, "size reader node"],
    base: Int[Tensor, "pair column"],
    whole: Int[Tensor, " pair"],
    replacement: Float[Tensor, "node #pair position d_model"],
) -> int:
    """Index of the first mask that changes no prediction; the last cuts nothing. Few pairs rule out most masks."""

    def faithful(some: Int[Tensor, " mask"], pairs: slice) -> Bool[Tensor, " mask"]:
        rows = replacement if replacement.shape[1] == 1 else replacement[:, pairs]
        logits = patch_hypotheses(network, base[pairs], masks[some].float(), rows)
        return (predicted_class(logits) == whole[pairs]).all(1)

    everything = torch.arange(len(masks))
    left = everything[faithful(everything, slice(FIRST_PAIRS))]
    for some in left.split(SIZES_AT_ONCE):
        passed = some[faithful(some, slice(FIRST_PAIRS, None))]
        if len(passed):
            return int(passed[0])
    return len(masks) - 1


def _cut(network: Network, indices: Int[Tensor, "edge 2"]) -> Bool[Tensor, "reader node"]:
    mask = torch.zeros_like(network.graph.exists)
    reader, node = indices.T
    mask[reader, node] = True
    return mask
