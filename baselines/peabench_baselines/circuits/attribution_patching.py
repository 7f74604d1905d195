"""Attribution patching: a first-order estimate of what patching each node would do, lifted to edges."""

import torch

from peabench.interventions import run_with_cache
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin
from peabench_baselines.circuits.node_gradients import outputs_with_gradients
from peabench_baselines.circuits.node_lift import lifted


class AttributionPatching(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over pairs of |(source - base) output of the node . gradient of the base margin there|, of the lesser end.

    The absolute value is taken before the mean, as in its authors' contribution of a node: effects that change sign
    from pair to pair count. (`eap` takes it after.)

    Cost: three forward passes and one backward pass.
    """

    name = "attribution-patching"
    track = "circuits"
    reference = "https://arxiv.org/abs/2403.00745"  # Kramár et al. 2024; Nanda 2023
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One backward pass over all pairs."""
        network, base = question.network, question.base
        metric = base_margin(network, base)
        outputs, logits = outputs_with_gradients(network, base)
        with torch.enable_grad():
            gradients = torch.autograd.grad(metric(logits).sum(), outputs)
        with torch.no_grad():
            source = run_with_cache(network, question.source).nodes
            changes = [
                ((theirs - ours).flatten(1) * gradient.flatten(1)).sum(1)
                for theirs, ours, gradient in zip(source, outputs, gradients, strict=True)
            ]
        return CircuitAnswer(lifted(question, torch.stack(changes).abs().mean(1)))
