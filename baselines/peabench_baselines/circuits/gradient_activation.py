"""Gradient times activation: a first-order estimate of what removing each edge would do."""

import torch

from peabench.interventions import patch_hypotheses, replacement_nodes
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin


class GradientActivation(Scorer[CircuitQuestion, CircuitAnswer]):
    """|mean over base inputs of the node's output . gradient of the base margin at the reader|.

    Cost: three forward passes and one backward pass; the sources are not used.
    """

    name = "gradient-activation"
    track = "circuits"
    reference = "https://arxiv.org/abs/1605.01713"  # Shrikumar et al. 2016, gradient x input
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """The derivative with respect to a mask that takes every edge to zero; the sources are not used."""
        network, base = question.network, question.base
        metric = base_margin(network, base)
        mask = torch.zeros(1, *network.graph.exists.shape, device=base.device, requires_grad=True)
        with torch.no_grad():
            zero = replacement_nodes(network, "zero", base[:1])
        with torch.enable_grad():
            margin = patch_hypotheses(network, base, mask, zero, metric).mean()
        (gradient,) = torch.autograd.grad(margin, mask)
        reader, node = question.edge_indices.T
        return CircuitAnswer(gradient[0, reader, node].abs())
