"""How well a ranking of edges finds a circuit: average precision, its expectation by chance, area under the ROC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

CHANCE_DRAWS = 2_000


@dataclass(frozen=True)
class Target:
    """One way of being right: a circuit, and the edges that it is told apart from. All other edges are left out."""

    circuit: Bool[Tensor, " edge"]
    ranked: Bool[Tensor, " edge"]
    """The circuit's edges and the absent ones."""


def targets(edges: Sequence[str], circuits: Sequence[frozenset[str]], listed: frozenset[str]) -> list[Target]:
    """A target for each minimal circuit; edges that are optional or in other circuits only are left out of its ranking.

    Args:
        edges: all candidate edges.
        circuits: the minimal sufficient circuits.
        listed: every edge that is required or optional.
    """
    absent = torch.tensor([edge not in listed for edge in edges])
    members = [torch.tensor([edge in circuit for edge in edges]) for circuit in circuits]
    return [Target(member, member | absent) for member in members]


def average_precision(scores: Float[Tensor, " edge"], target: Target) -> float:
    """Average precision of the circuit's edges against the absent ones: its mean over all orders of equal scores.

    In closed form (McSherry and Najork 2008, "Computing Information Retrieval Performance Measures Efficiently in the
    Presence of Tied Scores", section 2.5): of t equal scores that hold p positives, behind n others that hold m, rank
    n + k holds a positive with probability p/t, and m + 1 + (k-1)(p-1)/(t-1) positives up to itself are then expected.
    """
    kept = target.ranked
    positive = target.circuit[kept].double().numpy()
    _, group = np.unique(-scores[kept].double().numpy(), return_inverse=True)
    ties, positives = np.bincount(group), np.bincount(group, weights=positive)
    order = np.sort(group)
    before, found = (ties.cumsum() - ties)[order], (positives.cumsum() - positives)[order]
    rank = np.arange(len(order)) + 1
    others = (rank - before - 1) * (positives - 1)[order] / np.maximum(ties - 1, 1)[order]
    precision = (found + 1 + others) / rank
    return float((precision * (positives / ties)[order]).sum() / positive.sum())


def area_under_roc(
    scores: Float[Tensor, " edge"], target: Target, weights: Float[Tensor, " edge"] | None = None
) -> float:
    """Probability that an edge of the circuit stands before an absent one (ties count one half), both drawn with these
    weights; without any, uniformly.
    """
    from sklearn.metrics import roc_auc_score  # takes a second to import

    kept = target.ranked
    drawn = None if weights is None else weights[kept].double().numpy()
    return float(roc_auc_score(target.circuit[kept].numpy(), scores[kept].double().numpy(), sample_weight=drawn))


def best_match(scores: Float[Tensor, " edge"], candidates: Sequence[Target]) -> tuple[float, int]:
    """The best average precision over the minimal circuits, and which of them it belongs to.

    With equal scores it is the best of the means over their orders, not the mean of the best over them.
    """
    found = [average_precision(scores, target) for target in candidates]
    best = int(np.argmax(found))
    return found[best], best


def chance(candidates: Sequence[Target]) -> float:
    """Expectation of `best_match` under random scores: in closed form for one circuit, else from 2,000 fixed draws."""
    if len(candidates) == 1:
        target = candidates[0]
        return expected_average_precision(int(target.circuit.sum()), int(target.ranked.sum()))
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(CHANCE_DRAWS, len(candidates[0].ranked), generator=generator).argsort(1)
    found = []
    for target in candidates:
        hit, kept = target.circuit[order].double(), target.ranked[order].double()
        precision = hit.cumsum(1) / kept.cumsum(1).clamp(min=1)
        found.append((precision * hit).sum(1) / hit.sum(1))
    return float(torch.stack(found).max(0).values.mean())


def expected_average_precision(positives: int, total: int) -> float:
    """Mean average precision of a random order: that of scores which are all equal (Yves Bestgen, 2015, "Exact Expected
    Average Precision of the Random Baseline for System Evaluation").

    >>> expected_average_precision(1, 2)
    0.75
    """
    ranked = torch.ones(total, dtype=torch.bool)
    return average_precision(torch.zeros(total), Target(torch.arange(total) < positives, ranked))
