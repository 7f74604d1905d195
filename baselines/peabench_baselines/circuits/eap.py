"""Edge attribution patching: a first-order estimate of what patching each edge would do."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin


class EAP(Scorer[CircuitQuestion, CircuitAnswer]):
    """|mean over pairs of (source - base) output of the node . gradient of the base margin at the reader|."""

    name = "eap"
    track = "circuits"
    reference = "https://arxiv.org/abs/2310.10348"  # Syed, Rager and Conmy 2023
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One backward pass over all pairs."""
        metric = base_margin(question.network, question.base)
        return CircuitAnswer(edge_attributions(question.network, question.base, question.source, metric).abs())
