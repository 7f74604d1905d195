"""Edge attribution patching with integrated gradients along the inputs from base to source."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

STEPS = 5


class EAPIG(Scorer[CircuitQuestion, CircuitAnswer]):
    """EAP with the gradient averaged over five embeddings on the way from base to source (EAP-IG inputs).

    Cost: 2 + m forward passes and m backward passes with m = 5 steps.
    """

    name = "eap-ig"
    track = "circuits"
    reference = "https://arxiv.org/abs/2403.17806"  # Hanna, Pezzelle and Belinkov 2024
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """Five backward passes over all pairs."""
        network, base, source = question.network, question.base, question.source
        metric = base_margin(network, base)
        return CircuitAnswer(edge_attributions(network, base, source, metric, steps=STEPS, edges=question.edges).abs())
