"""One plain run of a network, kept: node outputs, residual streams, logits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.networks import Network


@dataclass(frozen=True)
class Activations:
    """What a network computed on a batch of inputs."""

    inputs: Int[Tensor, "batch column"]
    nodes: Float[Tensor, "node batch position d_model"]
    """Output of every node, in the order of `graph.nodes`."""
    stage_inputs: Float[Tensor, "stage batch position d_model"]
    """The residual stream before each stage; the last entry is what `output` reads."""
    logits: Float[Tensor, "batch position output"]

    def select(self, index: slice | Int[Tensor, " row"]) -> "Activations":
        """The activations of some of the inputs, in the order asked for."""
        return Activations(self.inputs[index], self.nodes[:, index], self.stage_inputs[:, index], self.logits[index])


def run_with_cache(
    network: Network,
    inputs: Int[Tensor, "batch column"],
    embedded: Float[Tensor, "node batch position d_model"] | None = None,
) -> Activations:
    """Run a network once and keep everything that interventions are made from.

    Args:
        network: the network; its parameters get no gradient.
        inputs: rows of integer columns.
        embedded: embedding nodes to run from in place of those of the inputs.
    """
    with frozen(network):
        outputs = [network.embedding_nodes(inputs) if embedded is None else embedded]
        resid = network.start(outputs[0])
        stage_inputs = []
        for stage in range(len(network.graph.stages)):
            stage_inputs.append(resid)
            # Positions lead in the three steps of a stage, in which one wide product serves all readers.
            inner = network.react(stage, network.project(stage, resid.transpose(0, 1)))
            if network.graph.stages[stage].kind == "mlp":
                written = network.write(stage, inner)[None]  # the one node that has a bias of its own
            else:
                written = network.spread(stage, inner)
            outputs.append(written.transpose(1, 2))
            resid = network.advance(stage, resid, outputs[-1])
        stage_inputs.append(resid)
        return Activations(inputs, torch.cat(outputs), torch.stack(stage_inputs), network.unembed(resid))


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """Keep the network's parameters out of every gradient inside the block."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
