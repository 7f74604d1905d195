"""Random suspicions: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion


class RandomSuspicions(Scorer[AuditQuestion, AuditAnswer]):
    """Uniformly random numbers."""

    name = "random-suspicions"
    track = "audits"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Drawn from the question's generator."""
        generator, networks = question.generator, len(question.networks)
        return AuditAnswer(
            torch.rand(networks, generator=generator, device=generator.device),
            torch.rand(networks, len(question.candidates), generator=generator, device=generator.device),
        )
