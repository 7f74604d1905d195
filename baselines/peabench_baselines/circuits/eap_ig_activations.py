"""Edge attribution patching with integrated gradients along activations, one stage of the network at a time."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

STEPS = 5


class EAPIGActivations(Scorer[CircuitQuestion, CircuitAnswer]):
    """EAP with the gradient averaged over what each stage's nodes write, five steps from base to source for each.

    A stage is all heads of a layer, an MLP (or a block of units), or the embeddings; all else is recomputed.

    Cost: 3 + (m - 1) s forward passes and 1 + (m - 1) s backward passes with m = 5 steps and s stages.
    """

    name = "eap-ig-activations"
    track = "circuits"
    reference = "https://github.com/hannamw/EAP-IG"  # Hanna, Pezzelle and Belinkov 2024, the authors' library
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """Four backward passes a stage over all pairs, and one that all stages share."""
        network, base, source = question.network, question.base, question.source
        metric = base_margin(network, base)
        return CircuitAnswer(
            edge_attributions(
                network, base, source, metric, steps=STEPS, path="activations", edges=question.edges
            ).abs()
        )
