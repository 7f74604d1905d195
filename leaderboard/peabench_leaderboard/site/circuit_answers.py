"""Answers of the circuits track held against the truth: which edges a scorer found, missed, and named in error."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import Circuit
from peabench.tracks.ranking import Target, best_match, targets


@dataclass(frozen=True)
class CircuitOverlay:
    """A scorer's highest edges, as many as the circuit has."""

    key: str
    """Tells the answer from the others of its page."""
    label: str
    found: tuple[str, ...]
    """Of the circuit, and among the highest."""
    missed: tuple[str, ...]
    """Of the circuit, and not among them."""
    false: tuple[str, ...]
    """Absent from the circuit, and among them."""
    average_precision: float | None
    """What the answer was graded with; None where that is not known."""


def circuit_targets(edges: Sequence[str], circuit: Circuit) -> list[Target]:
    """What answers are held against: a target for each minimal circuit, as in the track's ranking."""
    return targets(edges, circuit.sufficient, frozenset(item.edge for item in circuit.edges))


def circuit_overlay(
    key: str,
    label: str,
    edges: Sequence[str],
    candidates: Sequence[Target],
    scores: Float[Tensor, " edge"],
    average_precision: float | None,
) -> CircuitOverlay:
    """What a scorer would call the circuit, were it told how many edges it has.

    Of several minimal circuits the one that the track grades against is taken: the best match. As in the track's
    ranking, optional edges and those of other circuits are left out. Edges whose equal scores straddle the cut are not
    taken: nothing tells them apart.

    Args:
        key: tells the answer from the others of its page.
        label: the scorer.
        edges: the question's edges.
        candidates: the truth, from `circuit_targets`.
        scores: one per edge.
        average_precision: what the answer was graded with; None where that is not known.
    """
    target = candidates[best_match(scores, candidates)[1] if len(candidates) > 1 else 0]
    chosen = _highest(scores.double(), target.ranked, int(target.circuit.sum()))

    def named(mask: Tensor) -> tuple[str, ...]:
        return tuple(edges[i] for i in mask.nonzero()[:, 0].tolist())

    return CircuitOverlay(
        key=key,
        label=label,
        found=named(chosen & target.circuit),
        missed=named(~chosen & target.circuit),
        false=named(chosen & ~target.circuit),
        average_precision=average_precision,
    )


def _highest(scores: Tensor, ranked: Tensor, count: int) -> Tensor:
    kept = scores[ranked].sort(descending=True).values
    if len(kept) <= count:
        return ranked
    last, next_one = kept[count - 1], kept[count]
    return ranked & ((scores >= last) if last > next_one else (scores > last))
