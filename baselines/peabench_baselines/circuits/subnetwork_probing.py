"""Subnetwork probing: hard-concrete masks on nodes, trained to keep the prediction, lifted to edges."""

import torch
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.hard_concrete import draw, probability_kept
from peabench_baselines.circuits.mask_training import Masks, train
from peabench_baselines.circuits.node_lift import lifted

PRICES = tuple(10 ** (-step / 2) for step in range(5, 1, -1))
"""Of each node that is kept, relative to the divergence with every edge cut."""
START = 2.0
"""Logit at which masks start: nearly open."""


class SubnetworkProbing(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over four prices of the probability that a node's mask is not 0, of an edge's lesser end.

    A masked node hands on its output on the source to all that read it, as in the adaptation of Conmy et al. 2023
    (arXiv:2304.14997), and is priced by the probability that it is kept. The prices are half a decade apart, from
    10^-2.5 to 10^-1 of the divergence with every edge cut.

    Cost: a training of masks, `mask_training.train`, of four variants.
    """

    name = "subnetwork-probing"
    track = "circuits"
    reference = "https://arxiv.org/abs/2104.03514"  # Cao, Sanh and Rush 2021
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """All prices side by side."""
        nodes = question.edge_indices[:, 1]
        prices = torch.tensor(PRICES)
        log_alpha = torch.full((len(PRICES), len(question.network.graph.nodes)), START)

        def spread(kept: Tensor) -> Tensor:
            return kept.index_select(-1, nodes)

        train(
            question,
            Masks(
                parameters=[log_alpha],
                sample=lambda noise: draw(log_alpha[:, None], noise),
                price=lambda progress: prices * probability_kept(log_alpha).sum(1),
                spread=spread,
                parts=log_alpha.shape[1],
            ),
        )
        return CircuitAnswer(lifted(question, probability_kept(log_alpha.detach()).mean(0)))
