"""Representational similarity to a hypothesis: are inputs alike where its variables are?"""

import torch
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.claimed_variables import claimed_classes, one_hot, reason_against_variables
from peabench_baselines.universality.layer_activations import layer_activations
from peabench_baselines.universality.rsa import distance_ranks

ROWS = 384
"""Inputs compared with one another."""


class VariableRSA(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """Rank correlation of the distances between inputs in the residual stream with the number of the hypothesis's
    variables in which they differ, at the layer where it is largest.

    Cost: one pass of 384 inputs.
    """

    name = "variable-rsa"
    track = "algorithms"
    reference = "https://doi.org/10.3389/neuro.06.004.2008"  # Kriegeskorte, Mur and Bandettini 2008, model RDMs
    supervision = "values of the hypotheses' variables"
    gauge_invariant = True

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without variables."""
        return reason_against_variables(question)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """One-hot values of a hypothesis's variables have distances in the order of how many of them differ."""
        inputs = question.base[:ROWS]
        claimed = [torch.cat([one_hot(c) for c in claimed_classes(h, inputs)], 1) for h in question.hypotheses]
        stream = torch.cat([distance_ranks(layer[None]) for layer in layer_activations(question.network, inputs)])
        models: Tensor = torch.cat([distance_ranks(values[None]) for values in claimed])
        return AlgorithmAnswer((models @ stream.T).amax(1))
