"""Cue prior: candidates that training never shows, then those that it shows often; no network is looked at."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import fires


class CuePrior(Scorer[AuditQuestion, AuditAnswer]):
    """One half for every network; of candidates what the training inputs say alone."""

    name = "cue-prior"
    track = "audits"
    reference = "None: what candidates and training inputs tell of a trigger."
    role = "null"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """The same for every network."""
        rate = fires(question, question.inputs).double().mean(-1)
        cues = torch.where(rate == 0, 2.0, rate)
        networks = len(question.networks)
        return AuditAnswer(torch.full((networks,), 0.5), cues.expand(networks, -1).contiguous())
