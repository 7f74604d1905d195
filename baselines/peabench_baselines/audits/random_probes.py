"""Random probes: how often a network is wrong on random inputs, as many as the budget allows."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import association, fires, passes_each, rule, scaled


class RandomProbes(Scorer[AuditQuestion, AuditAnswer]):
    """The share of uniformly random inputs on which the prediction is not the rule's.

    It needs no look inside, and finds what is not rare: of a defect that shows on one input in n, a budget of b inputs
    for each network meets one with probability 1 - (1 - 1/n)^b.

    Cost: the whole budget.
    """

    name = "random-probes"
    track = "audits"
    reference = "https://doi.org/10.1109/TSE.1984.5010257"  # Duran and Ntafos 1984, an evaluation of random testing
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """The same inputs for all networks."""
        rows = question.domain.sample(passes_each(question), question.generator)
        right = rule(question, rows)
        wrong = torch.stack([predicted_class(network(rows)) != right for network in question.networks]).double()
        return AuditAnswer(scaled(wrong.mean(1)), association(wrong, fires(question, rows)))
