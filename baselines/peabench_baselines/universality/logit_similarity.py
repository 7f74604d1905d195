"""Logit similarity: how alike two networks' logits are, whatever is inside."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.pairs import predicted_class
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion


class LogitSimilarity(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """The cosine of both networks' logits, of which the mean over all inputs of the same prediction is taken away.

    It never looks inside: what it earns, margins tell where predictions are equal. It is a null, for a method that
    looks inside has to earn more.

    Cost: one forward pass of all inputs through each network.
    """

    name = "logit-similarity"
    track = "universality"
    reference = "https://arxiv.org/abs/1503.02531"  # Hinton et al. 2015, what logits tell beyond the prediction
    gauge_invariant = True
    role = "null"

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """Of the logits at the last position."""
        margins = torch.stack([beside_the_prediction(network(question.inputs)) for network in question.networks])
        return UniversalityAnswer(cosines(margins, question.pairs))


def beside_the_prediction(logits: Float[Tensor, "row position output"]) -> Float[Tensor, " value"]:
    """Logits at the last position, less their mean over outputs and then over the rows of one prediction."""
    last = logits[:, -1].double()
    if last.shape[1] > 1:
        last = last - last.mean(1, keepdim=True)
    predicted = predicted_class(logits).reshape(len(last), -1).unique(dim=0, return_inverse=True)[1]
    members = torch.nn.functional.one_hot(predicted).double()
    means = members.T @ last / members.sum(0)[:, None]
    return (last - means[predicted]).flatten()


def cosines(vectors: Float[Tensor, "network value"], pairs: Int[Tensor, "pair 2"]) -> Float[Tensor, " pair"]:
    """Cosine of the vectors of each pair; 1 of two that are nothing but rounding."""
    lengths = vectors.norm(dim=1)
    nothing = lengths < 1e-4 * vectors.shape[1] ** 0.5
    units = torch.nn.functional.normalize(vectors, dim=1)
    found: Tensor = (units[pairs[:, 0]] * units[pairs[:, 1]]).sum(1)
    return torch.where(nothing[pairs[:, 0]] & nothing[pairs[:, 1]], 1.0, found)
