"""Output agreement: how often two networks predict the same."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.pairs import predicted_class
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion


class OutputAgreement(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """The share of inputs on which both predict the same class.

    It is 1 for every pair of networks of the same behaviour, whatever they do inside, and so earns exactly 0 here.

    Cost: one forward pass of all inputs through each network.
    """

    name = "output-agreement"
    track = "universality"
    reference = "https://arxiv.org/abs/1905.12580"  # Mania et al. 2019, model similarity by shared predictions
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """Of the predictions at the last position."""
        predicted = torch.stack([predicted_class(network(question.inputs)) for network in question.networks])
        return UniversalityAnswer(agreement(predicted, question.pairs))


def agreement(predicted: Int[Tensor, "network row"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Share of rows, 0 to 1, on which the two networks of each pair are equal."""
    return (predicted[pairs[:, 0]] == predicted[pairs[:, 1]]).double().mean(1)
