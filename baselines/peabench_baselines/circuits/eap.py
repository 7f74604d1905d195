"""Edge attribution patching: a first-order estimate of what patching each edge would do."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin


class EAP(Scorer[CircuitQuestion, CircuitAnswer]):
    """|mean over pairs of (source - base) output of the node . gradient of the base margin at the reader|.

    Cost: three forward passes (the metric, base, source) and one backward pass.
    """

    name = "eap"
    track = "circuits"
    reference = "https://arxiv.org/abs/2310.10348"  # Syed, Rager and Conmy 2023
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One backward pass over all pairs."""
        network, base, source = question.network, question.base, question.source
        found = edge_attributions(network, base, source, base_margin(network, base), edges=question.edges)
        return CircuitAnswer(found.abs())
