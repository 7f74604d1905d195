"""Random similarities: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion


class RandomSimilarity(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """The same for all pairs, which is graded as the mean over all their orders: exactly what random similarities earn
    on average, without the luck of one draw.
    """

    name = "random-similarity"
    track = "universality"
    reference = "None: the expectation of uniformly random answers."
    gauge_invariant = True
    role = "null"

    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """No pair before another."""
        return UniversalityAnswer(torch.zeros(len(question.pairs)))
