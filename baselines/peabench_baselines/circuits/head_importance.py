"""Head importance: how sensitive the prediction is to a mask on each node, lifted to edges."""

import torch
from torch import Tensor

from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.base_margin import base_margin
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


def outputs_with_gradients(network: Network, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
    """What every node writes, and logits that depend on it, by ordinary forward hooks."""
    outputs: list[Tensor] = []

    def keep(module: torch.nn.Module, arguments: object, output: Tensor) -> Tensor:
        outputs.append(output if output.requires_grad else output.detach().requires_grad_())
        return outputs[-1]

    handles = [network.get_submodule(node).register_forward_hook(keep) for node in network.graph.nodes]
    try:
        with torch.enable_grad():
            logits = network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return outputs, logits
