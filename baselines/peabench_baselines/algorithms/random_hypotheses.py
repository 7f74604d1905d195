"""Random scores: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion


class RandomHypotheses(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """Uniformly random scores."""

    name = "random-hypotheses"
    track = "algorithms"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """Drawn from the question's generator."""
        generator = question.generator
        return AlgorithmAnswer(torch.rand(len(question.hypotheses), generator=generator, device=generator.device))
