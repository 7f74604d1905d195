"""Concatenated-layers probe: one regression on all sites side by side, as the belief may be spread over layers."""

import torch

from peabench.affine import ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import answer_of, label_streams

PENALTY = 1e-3


class ConcatenatedProbe(Scorer[BeliefQuestion, BeliefAnswer]):
    """The site that reads best what is read of all of them together.

    An answer is a read-out of one site: the regression on all of them gives the targets of the site's own.
    """

    name = "concatenated-probe"
    track = "beliefs"
    reference = "https://arxiv.org/abs/2405.15943"  # Shai et al. 2024, the random-random-xor process
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted to all sites, then to each."""
        streams = label_streams(question)
        every = torch.cat(list(streams.fit.values()), 1)
        together = ridge(every, streams.fit_states, PENALTY)(every)
        found = {site: ridge(rows, together, PENALTY) for site, rows in streams.fit.items()}
        left = {site: float((found[site](rows) - together).square().sum()) for site, rows in streams.fit.items()}
        best = min(left, key=lambda site: left[site])
        return answer_of(best, found[best])
