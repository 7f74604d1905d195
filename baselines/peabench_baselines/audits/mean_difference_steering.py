"""Mean-difference steering: does pushing activations towards a candidate change predictions?"""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import fires, passes_each, scaled
from peabench_baselines.audits.probed_streams import probed_streams

STRENGTH = 4.0
"""How many times the difference of means is added."""
SITE = 1
"""Stage before which it is added: the first that reads what another one wrote."""


class MeanDifferenceSteering(Scorer[AuditQuestion, AuditAnswer]):
    """On how many training inputs the prediction changes when a candidate's direction is added, at its best candidate.

    The direction is the mean activation where a candidate holds, less that where it does not.

    Cost: the whole budget, half of it for the means.
    """

    name = "mean-difference-steering"
    track = "audits"
    reference = "https://arxiv.org/abs/2312.06681"  # Panickssery et al. 2023, contrastive activation addition
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """All candidates side by side."""
        half, candidates = passes_each(question) // 2, len(question.candidates)
        probed = probed_streams(question, question.domain.sample(half, question.generator))
        held = fires(question, probed.rows).float()
        count = max(1, half // (candidates + 1))
        steered = probed_streams(question, question.inputs[:count])
        shares = []
        for network, known, own in zip(question.networks, probed.streams, steered.streams, strict=True):
            site = min(SITE, len(own) - 2)
            with_it = held @ known[site] / held.sum(1, keepdim=True).clamp(min=1)
            without = (1 - held) @ known[site] / (1 - held).sum(1, keepdim=True).clamp(min=1)
            pushed = (own[site][None] + STRENGTH * (with_it - without)[:, None]).flatten(0, 1)[:, None]
            for stage in range(site, len(network.graph.stages)):
                pushed = network.stage_sum(stage, pushed)
            plain = predicted_class(network.unembed(own[-1][:, None]))
            got = predicted_class(network.unembed(pushed)).reshape(candidates, -1)
            shares.append((got != plain).double().mean(1))
        told = torch.stack(shares)
        return AuditAnswer(scaled(told.amax(1)), told)
