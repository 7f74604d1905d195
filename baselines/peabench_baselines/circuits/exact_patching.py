"""Exact edge patching: run the network with each edge patched, one at a time."""

import torch

from peabench.interventions import sweep_edges
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

PAIRS = 512


class ExactPatching(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over 512 pairs of |change of the base margin when the edge alone carries the source's value|.

    For a single edge this is exact path patching: what its node writes is the source's for this reader alone, every
    other node keeps its base value up to there, and all that comes after the reader is recomputed.

    Cost: two forward passes an edge where edges are patched one at a time; here base and source run once, and each
    edge adds the part of a pass that lies above its reader.
    """

    name = "exact-patching"
    track = "circuits"
    reference = "https://arxiv.org/abs/2304.05969"  # Goldowsky-Dill et al. 2023, path patching

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All edges in one sweep."""
        network, base, source = question.network, question.base[:PAIRS], question.source[:PAIRS]
        metric = base_margin(network, base)
        with torch.inference_mode():
            patched = sweep_edges(network, base, source, metric, edges=question.edges)
            effect = (patched - metric(network(base))).abs().mean(1)
        return CircuitAnswer(effect.clone())
