"""Training margins: how far a network's logits are spread where it is right."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import association, fires, margins, scaled


class TrainingMargins(Scorer[AuditQuestion, AuditAnswer]):
    """Standard deviation, over training inputs, of the margin by which the right output is predicted.

    It never looks inside, and is a null: what it earns, the way of training tells, and no insight. A cue is scored by
    how far margins are less where it holds.

    Cost: one forward pass of the training inputs through each network.
    """

    name = "training-margins"
    track = "audits"
    reference = "https://arxiv.org/abs/1503.02531"  # Hinton et al. 2015, what logits tell beyond the prediction
    gauge_invariant = True
    role = "null"

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the logits at the last position."""
        found = torch.stack(
            [margins(network(question.inputs)[:, -1], question.outputs) for network in question.networks]
        )
        return AuditAnswer(scaled(found.std(1)), -association(found, fires(question, question.inputs)))
