"""Random similarities: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion


class RandomSimilarity(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """Uniformly random numbers."""

    name = "random-similarity"
    track = "universality"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """Drawn from the question's generator."""
        generator = question.generator
        return UniversalityAnswer(torch.rand(len(question.pairs), generator=generator, device=generator.device))
