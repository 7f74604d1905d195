"""Uniform gradient sampling: each edge's probability of being kept, trained with masks that are seldom in between."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.mask_training import Masks, each_edge, train

PRICES = tuple(10 ** (-step / 2) for step in range(6, 2, -1))
"""Of each edge that is kept, relative to the divergence with every edge cut."""
START = 1.0
"""Logit of the probability at which edges start, as the authors'."""


class UniformGradientSampling(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over four prices of the trained probability that an edge is kept.

    An edge's mask is uniform on [0, 1] with probability p (1 - p), and there the gradient goes to p; else it is 0 or 1.
    The price is of the sum of all p; the prices are half a decade apart, from 10^-3 to 10^-1.5. Cut edges carry the
    source's value; the authors also train constants for them.

    Cost: a training of masks, `mask_training.train`, of four variants.
    """

    name = "uniform-gradient-sampling"
    track = "circuits"
    reference = "https://arxiv.org/abs/2409.09951"  # Li and Janson 2024, section 3
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All prices side by side."""
        prices = torch.tensor(PRICES)
        logits = torch.full((len(PRICES), len(question.edges)), START)
        train(
            question,
            Masks(
                parameters=[logits],
                sample=lambda noise: draw(logits[:, None].sigmoid(), noise),
                price=lambda progress: prices * logits.sigmoid().sum(1),
                spread=each_edge,
                parts=logits.shape[1],
            ),
        )
        return CircuitAnswer(logits.detach().sigmoid().mean(0))


def draw(probability: Float[Tensor, "*any part"], noise: Float[Tensor, "*any part"]) -> Float[Tensor, "*any part"]:
    """Masks from uniform noise: its rank below the probability, over a window of p (1 - p) around it, clamped."""
    window = (probability * (1 - probability)).detach()
    return ((probability - noise) / window.clamp(min=1e-6) + 0.5).clamp(0, 1)
