"""Random suspicions: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion


class RandomSuspicions(Scorer[AuditQuestion, AuditAnswer]):
    """One half for every network and the same for all candidates, which is graded as the mean over all their orders:
    exactly what random answers earn on average, without the luck of one draw.
    """

    name = "random-suspicions"
    track = "audits"
    reference = "None: the expectation of uniformly random answers."
    role = "null"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """No network before another, and no candidate."""
        networks = len(question.networks)
        return AuditAnswer(torch.full((networks,), 0.5), torch.zeros(networks, len(question.candidates)))
