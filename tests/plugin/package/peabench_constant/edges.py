"""The same score for every edge."""

import torch

from peabench import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion


class ConstantEdges(Scorer[CircuitQuestion, CircuitAnswer]):
    """Answers one half for every candidate edge, which must earn nothing."""

    name = "constant-edges"
    track = "circuits"
    reference = "tests/plugin of Peabench"
    version = "0.1.0"

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One score per candidate edge."""
        return CircuitAnswer(torch.full((len(question.edges),), 0.5))
