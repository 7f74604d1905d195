"""Edge pruning: hard-concrete masks on edges, trained to keep the prediction at target sparsities."""

import torch
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.hard_concrete import draw, probability_kept
from peabench_baselines.circuits.mask_training import Masks, each_edge, train

KEPT = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Target shares of the edges."""
START = 2.0
"""Logit at which masks start: nearly open."""
WARM_UP = 0.8
"""Share of the steps in which the target falls from all edges to the one wanted."""


class EdgePruning(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over four target sizes of the probability that an edge's mask is not 0.

    A cut edge carries the source's value. The expected share of kept edges s is held to a target t by a Lagrangian,
    a (s - t) + b (s - t)^2, whose multipliers rise by the same optimiser; t falls from 1 within the first 80% of the
    steps. The targets are 1/32 to 1/4 of the edges. The authors' masks on whole nodes are left out.

    Cost: a training of masks, `mask_training.train`, of four variants.
    """

    name = "edge-pruning"
    track = "circuits"
    reference = "https://arxiv.org/abs/2406.16778"  # Bhaskar, Wettig, Friedman and Chen 2024
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All targets side by side."""
        wanted = torch.tensor(KEPT)
        log_alpha = torch.full((len(KEPT), len(question.edges)), START)
        multipliers = torch.zeros(len(KEPT), 2)

        def price(progress: float) -> Tensor:
            target = torch.lerp(torch.ones(()), wanted, min(1.0, progress / WARM_UP))
            over = probability_kept(log_alpha).mean(1) - target
            linear, square = (2 * multipliers.detach() - multipliers).T  # the same values, to be raised and not lowered
            paid: Tensor = linear * over + square * over.square()
            return paid

        train(
            question,
            Masks(
                parameters=[log_alpha, multipliers],
                sample=lambda noise: draw(log_alpha[:, None], noise),
                price=price,
                spread=each_edge,
                parts=log_alpha.shape[1],
            ),
        )
        return CircuitAnswer(probability_kept(log_alpha.detach()).mean(0))
