"""Random scores: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion


class RandomEdges(Scorer[CircuitQuestion, CircuitAnswer]):
    """Uniformly random scores."""

    name = "random-edges"
    track = "circuits"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """Drawn from the question's generator."""
        generator = question.generator
        return CircuitAnswer(torch.rand(len(question.edges), generator=generator, device=generator.device))
