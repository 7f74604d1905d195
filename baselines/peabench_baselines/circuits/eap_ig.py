"""Edge attribution patching with integrated gradients along the inputs from base to source."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

STEPS = 5


class EAPIG(Scorer[CircuitQuestion, CircuitAnswer]):
    """EAP with the gradient averaged over five embeddings on the way from base to source (EAP-IG inputs)."""

    name = "eap-ig"
    track = "circuits"
    reference = "https://arxiv.org/abs/2403.17806"  # Hanna, Pezzelle and Belinkov 2024
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """Five backward passes over all pairs."""
        metric = base_margin(question.network, question.base)
        found = edge_attributions(question.network, question.base, question.source, metric, steps=STEPS)
        return CircuitAnswer(found.abs())
