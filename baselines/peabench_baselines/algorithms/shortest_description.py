"""Description length: the shortest hypothesis, without a look at the network."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench.tracks.candidates import Candidate


class ShortestDescription(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """Minus the length of what a hypothesis says, in characters.

    A prior: it earns more than 0 only where true hypotheses are shorter than their rivals.

    Cost: no pass.
    """

    name = "shortest-description"
    track = "algorithms"
    reference = "https://doi.org/10.1016/0005-1098(78)90005-5"  # Rissanen 1978
    gauge_invariant = True

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """Of each hypothesis by itself."""
        lengths = [description_length(candidate) for candidate in question.hypotheses]
        return AlgorithmAnswer(-torch.tensor(lengths, dtype=torch.float64))


def description_length(candidate: Candidate) -> int:
    """Characters of the causal model as it is stored, of the frequencies, and of the form's name."""
    said = [candidate.causal_model.model_dump_json()] if candidate.causal_model is not None else []
    said += [" ".join(map(str, candidate.frequencies))] if candidate.frequencies is not None else []
    said += [candidate.form] if candidate.form is not None else []
    return sum(map(len, said))
