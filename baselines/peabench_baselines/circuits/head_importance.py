"""Head importance: how sensitive the prediction is to a mask on each node, lifted to edges."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin
from peabench_baselines.circuits.node_gradients import outputs_with_gradients
from peabench_baselines.circuits.node_lift import lifted


class HeadImportance(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over base inputs of |the node's output . gradient of the base margin there|; an edge has its lesser end's.

    Head importance for pruning (HISP) for every node, not heads alone. Its authors divide by the norm of all scores of
    a layer; layers of a single node, as MLPs are, would all be equal then, so that is left out.

    Cost: two forward passes and one backward pass; the sources are not used.
    """

    name = "head-importance"
    track = "circuits"
    reference = "https://arxiv.org/abs/1905.10650"  # Michel, Levy and Neubig 2019, equation 2
    needs_gradients = True

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """One gradient for all nodes of all inputs."""
        network, base = question.network, question.base
        metric = base_margin(network, base)
        outputs, logits = outputs_with_gradients(network, base)
        with torch.enable_grad():
            gradients = torch.autograd.grad(metric(logits).sum(), outputs)
        products = [(gradient * out).sum((-1, -2)).abs() for gradient, out in zip(gradients, outputs, strict=True)]
        return CircuitAnswer(lifted(question, torch.stack(products).mean(1).detach()))
