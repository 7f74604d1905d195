"""Integrated gradients of the edges' masks, by captum."""

from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import patch_hypotheses, replacement_nodes
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

PAIRS = 512
STEPS = 8


class IntegratedGradients(Scorer[CircuitQuestion, CircuitAnswer]):
    """|integral of the mean base margin's derivative by an edge's mask, all masks going from 0 to 1 together|.

    A mask of 0 leaves an edge alone, 1 takes it from the source; captum's Gauss-Legendre rule with eight points over
    512 pairs.

    Cost: 2 + 2 m forward passes and m backward passes with m = 8 points.
    """

    name = "integrated-gradients"
    track = "circuits"
    reference = "https://arxiv.org/abs/1703.01365"  # Sundararajan, Taly and Yan 2017; captum, arXiv:2009.07896
    needs_gradients = True

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines where captum is not installed."""
        return (
            None if find_spec("captum") else "It needs captum, which is not installed: pip install 'peabench[captum]'."
        )

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One mask at a time, so that the memory does not grow with the points."""
        from captum.attr import IntegratedGradients as CaptumIntegratedGradients

        network, base, source = question.network, question.base[:PAIRS], question.source[:PAIRS]
        metric = base_margin(network, base)
        with torch.no_grad():
            replacement = replacement_nodes(network, "resample", source)
        reader, node = question.edge_indices.T

        def margin(masks: Float[Tensor, "point edge"]) -> Float[Tensor, " point"]:
            mask = masks.new_zeros(len(masks), *network.graph.exists.shape)
            mask[:, reader, node] = masks
            return patch_hypotheses(network, base, mask, replacement, metric).mean(1)

        ends = torch.zeros(2, 1, len(question.edges), device=base.device)
        ends[1] = 1
        with torch.enable_grad():
            found = CaptumIntegratedGradients(margin).attribute(ends[1], ends[0], n_steps=STEPS, internal_batch_size=1)
        return CircuitAnswer(found[0].detach().float().abs())
