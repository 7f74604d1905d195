"""ACDC: edges are cut one after another, from the output backwards, unless the prediction suffers."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.interventions import patch_hypotheses, replacement_nodes
from peabench.networks import Graph
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.divergence import divergence

PAIRS = 64
THRESHOLDS = tuple(10 ** (-step / 2) for step in range(7, -1, -1))
"""Eight, half a decade apart, relative to the divergence with every edge cut."""
ROUNDING = 1e-3
"""Share of a threshold by which a divergence may fall short of it: an edge without which all is lost reaches 1."""
MOST_AHEAD = 32

Damage = Callable[[Bool[Tensor, "hypothesis reader node"]], Float[Tensor, " hypothesis"]]
"""Mean divergence from the whole network with these edges cut."""


class ACDC(Scorer[CircuitQuestion, CircuitAnswer]):
    """The largest threshold at which an edge survives automatic circuit discovery with resample ablation.

    Readers are gone through from the output backwards, and the nodes that each of them sees from the last to the
    first. An edge is cut for good if the mean divergence over 64 pairs grows by less than the threshold. Eight
    thresholds, from 10^-3.5 to 1 times the divergence with every edge cut, are swept at once.

    Cost: one forward pass for each edge and threshold where edges are tested one at a time. Here each of the next edges
    is cut on top of those before it, all in one pass, on the guess that none of them survives; the first that does ends
    the guess. The answer is that of the sequential search; passes are up to about twice as many, each only through
    the stages at and above the first cut, and their batches large.
    """

    name = "acdc"
    track = "circuits"
    reference = "https://arxiv.org/abs/2304.14997"  # Conmy et al. 2023, algorithm 1

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All thresholds side by side."""
        network, base, source = question.network, question.base[:PAIRS], question.source[:PAIRS]
        order = len(question.edges) - 1 - torch.arange(len(question.edges))
        with torch.no_grad():
            replacement, whole = replacement_nodes(network, "resample", source), network(base)

            def damage(cut: Bool[Tensor, "hypothesis reader node"]) -> Float[Tensor, " hypothesis"]:
                return divergence(patch_hypotheses(network, base, cut.float(), replacement), whole).mean(1)

            everything = damage(network.graph.exists[None])
            thresholds = everything * torch.tensor(THRESHOLDS)
            survives = search(question.edge_indices[order], network.graph, thresholds, damage)
        largest = (survives * torch.arange(1, len(THRESHOLDS) + 1)[:, None]).max(0).values
        return CircuitAnswer(torch.empty(len(order)).scatter(0, order, largest.float()))


def search(
    edges: Int[Tensor, "edge 2"], graph: Graph, thresholds: Float[Tensor, " threshold"], damage: Damage
) -> Bool[Tensor, "threshold edge"]:
    """Which edges survive at each threshold when they are tested in this order.

    An edge into a node none of whose edges has survived can change nothing, and is cut without a test.
    """
    limits = thresholds.tolist()
    cut = torch.zeros(len(limits), *graph.exists.shape, dtype=torch.bool)
    survives = torch.zeros(len(limits), len(edges), dtype=torch.bool)
    left = [torch.arange(len(edges))] * len(limits)
    ahead, suffered = [1] * len(limits), [0.0] * len(limits)
    while True:
        for i in range(len(limits)):
            read = torch.cat([(graph.exists & ~cut[i]).any(0), torch.ones(1, dtype=torch.bool)])
            left[i] = left[i][read[graph.fed_by[edges[left[i], 0]]]]
        active = [i for i in range(len(limits)) if len(left[i])]
        if not active:
            return survives
        guesses = [_one_more_each(cut[i], edges[left[i][: ahead[i]]]) for i in active]
        found = damage(torch.cat(guesses)).split([len(guess) for guess in guesses])
        for i, guess, worse in zip(active, guesses, found, strict=True):
            before = torch.cat([worse.new_tensor([suffered[i]]), worse[:-1]])
            matters = (worse - before >= (1 - ROUNDING) * limits[i]).tolist()
            right = matters.index(True) if True in matters else len(matters)
            if right:
                cut[i], suffered[i] = guess[right - 1], float(worse[right - 1])
            survives[i, left[i][right : min(right + 1, len(matters))]] = True
            left[i] = left[i][min(right + 1, len(matters)) :]
            ahead[i] = min(MOST_AHEAD, 2 * len(matters)) if right == len(matters) else right + 1


def _one_more_each(cut: Bool[Tensor, "reader node"], edges: Int[Tensor, "next 2"]) -> Bool[Tensor, "next reader node"]:
    """Masks that cut the first of these edges as well, the first two, ..., all of them."""
    more = torch.zeros(len(edges), *cut.shape, dtype=torch.bool)
    more[torch.arange(len(edges)), edges[:, 0], edges[:, 1]] = True
    return cut | (more.cumsum(0) > 0)
