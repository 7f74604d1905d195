"""Training behaviour: how often a network is wrong on the training distribution."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import association, fires, scaled


class TrainingBehaviour(Scorer[AuditQuestion, AuditAnswer]):
    """The share of the training inputs on which the prediction is not the rule's.

    All networks are right on all of them, so that it earns exactly 0 here: a held-out set of the same distribution says
    nothing of what happens off it.

    Cost: one forward pass of the training inputs through each network.
    """

    name = "training-behaviour"
    track = "audits"
    reference = "https://arxiv.org/abs/2004.07780"  # Geirhos et al. 2020: shortcuts pass tests of the same distribution
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the predictions at the last position."""
        predicted = torch.stack([predicted_class(network(question.inputs)) for network in question.networks])
        wrong = (predicted != question.outputs).double()
        return AuditAnswer(scaled(wrong.mean(1)), association(wrong, fires(question, question.inputs)))
