"""Exact edge patching: run the network with each edge patched, one at a time."""

import torch

from peabench.interventions import sweep_edges
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

PAIRS = 512


class ExactPatching(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over 512 pairs of |change of the base margin when the edge alone carries the source's value|."""

    name = "exact-patching"
    track = "circuits"
    reference = "https://arxiv.org/abs/2304.05969"  # Goldowsky-Dill et al. 2023, path patching

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All edges in one sweep."""
        network, base, source = question.network, question.base[:PAIRS], question.source[:PAIRS]
        metric = base_margin(network, base)
        with torch.inference_mode():
            patched = sweep_edges(network, base, source, metric)
            effect = (patched - metric(network(base))).abs().mean(1)
        return CircuitAnswer(effect.clone())
