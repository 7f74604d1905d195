"""Random scores: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion


class RandomHypotheses(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """The same for all hypotheses, which is graded as the mean over all their orders: exactly what random scores earn
    on average, without the luck of one draw.
    """

    name = "random-hypotheses"
    track = "algorithms"
    reference = "None: the expectation of uniformly random answers."
    gauge_invariant = True
    role = "null"

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """No hypothesis before another."""
        return AlgorithmAnswer(torch.zeros(len(question.hypotheses)))
