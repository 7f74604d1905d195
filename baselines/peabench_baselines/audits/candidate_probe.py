"""Candidate probe: how well each candidate can be decoded from what the output reads."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import fires, scaled
from peabench_baselines.audits.probed_streams import probed_streams

RIDGE = 1e-3
"""In units of the mean variance of the activations."""


class CandidateProbe(Scorer[AuditQuestion, AuditAnswer]):
    """Variance of a candidate that ridge regression explains on held-out inputs; of a network the mean over candidates.

    What is decodable need not be used: a network that holds a trigger and does not read it looks like one that does.

    Cost: the whole budget.
    """

    name = "candidate-probe"
    track = "audits"
    reference = "https://arxiv.org/abs/1610.01644"  # Alain and Bengio 2016
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Fitted on one half of the inputs, tested on the other."""
        probed = probed_streams(question)
        targets = fires(question, probed.rows).T.double()
        half = len(targets) // 2
        found = []
        for stream in probed.streams[:, -1].double():
            mean, base = stream[:half].mean(0), targets[:half].mean(0)
            x, y = stream[:half] - mean, targets[:half] - base
            penalty = RIDGE * float(x.square().mean()) * half * torch.eye(x.shape[1], dtype=x.dtype)
            weights = torch.linalg.solve(x.T @ x + penalty, x.T @ y)
            wrong = (stream[half:] - mean) @ weights + base - targets[half:]
            variance = targets[half:].var(0, correction=0)
            explained = 1 - wrong.square().mean(0) / variance.clamp(min=1e-12)
            found.append(torch.where(variance > 0, explained, 0.0).clamp(min=0))
        told = torch.stack(found)
        return AuditAnswer(scaled(told.mean(1)), told)
