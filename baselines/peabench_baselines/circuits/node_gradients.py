"""What nodes write together with the gradient of the prediction there."""

import torch
from torch import Tensor

from peabench.networks import Network


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
