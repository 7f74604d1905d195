"""Edge attribution patching with integrated gradients along activations, one stage of the network at a time."""

from peabench.interventions import edge_attributions
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin

STEPS = 5


class EAPIGActivations(Scorer[CircuitQuestion, CircuitAnswer]):
    """EAP with the gradient averaged over what each stage's nodes write, five steps from base to source for each.

    A stage is all heads of a layer, an MLP (or a block of units), or the embeddings; what its nodes write is held, and
    all else recomputed.

    Cost: 2 + m s forward passes and m s backward passes with m = 5 steps and s stages.
    """

    name = "eap-ig-activations"
    track = "circuits"
    reference = "https://github.com/hannamw/EAP-IG"  # Hanna, Pezzelle and Belinkov 2024, the authors' library
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """Five backward passes a stage over all pairs."""
        network, base, source = question.network, question.base, question.source
        metric = base_margin(network, base)
        return CircuitAnswer(
            edge_attributions(
                network, base, source, metric, steps=STEPS, path="activations", edges=question.edges
            ).abs()
        )
