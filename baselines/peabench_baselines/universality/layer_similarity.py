"""What the methods share that compare activations, layer by layer."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.layer_activations import at_equal_depth, layer_activations

ROWS = 512
"""Inputs compared."""


class LayerSimilarity(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """The mean over layers of a similarity of activations on the first 512 inputs; layers of equal relative depth are
    compared, so that no pair of sites is chosen.

    Cost: one forward pass of 512 inputs through each network.
    """

    track = "universality"

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """All pairs at once, one depth after another."""
        inputs = question.inputs[:ROWS]
        layers = [layer_activations(network, inputs) for network in question.networks]
        found = [self.similarities(activations, question.pairs) for activations in at_equal_depth(layers)]
        return UniversalityAnswer(torch.stack(found).mean(0))

    @abstractmethod
    def similarities(
        self, activations: Float[Tensor, "network row feature"], pairs: Int[Tensor, "pair 2"]
    ) -> Float[Tensor, " pair"]:
        """Of one layer of each network, on the same inputs row for row."""
