"""The layer of hidden neurons that writes at a site, if there is one: what it reads, its neurons, what they write."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.interventions.sites import locate
from peabench.networks import Network
from peabench.tracks.features import ROWS_AT_A_TIME, FeatureQuestion

NEURAL = ("mlp", "units")


@dataclass(frozen=True)
class WritingLayer:
    """A layer at one position, on some inputs."""

    reads: Float[Tensor, "row d_model"]
    """The residual stream before the layer."""
    neurons: Float[Tensor, "row neuron"]
    """Activations of its hidden neurons."""
    rows: Float[Tensor, "neuron d_model"]
    """Their output weights."""

    @property
    def writes(self) -> Float[Tensor, "row d_model"]:
        """What the neurons add to the residual stream; the layer's bias is left out."""
        return self.neurons @ self.rows


def reason_against_layer(question: FeatureQuestion) -> str | None:
    """Why there is no layer of hidden neurons just before a site, or None where there is one."""
    if _stage(question.network, question.site) is None:
        return f"No layer of hidden neurons writes just before {question.site}."
    return None


def writing_layer(question: FeatureQuestion, inputs: Int[Tensor, "row column"]) -> WritingLayer:
    """The layer that writes last before a site (of a node site: the node alone), on inputs; no gradient flows."""
    network, stage = question.network, _stage(question.network, question.site)
    if stage is None:
        raise ValueError(reason_against_layer(question))
    _, node, positions = locate(network, question.site)
    at = range(network.graph.n_positions)[positions][0]
    some = slice(None)
    if node is not None:
        first = node - network.graph.stages[stage].nodes.start
        some = slice(first, first + 1)
    reads, neurons = [], []
    with torch.no_grad():
        for part in inputs.split(ROWS_AT_A_TIME):
            before = run_with_cache(network, part).at(stage, [at])
            inner = network.react(stage, network.project(stage, before.clone()))
            reads.append(before[0])
            neurons.append(inner[0][..., some, :].flatten(1))
        rows = network.output_weights(stage)[some].flatten(0, 1).detach()
    return WritingLayer(torch.cat(reads), torch.cat(neurons), rows)


def _stage(network: Network, site: str) -> int | None:
    """The stage whose layer writes just before a site."""
    stage = locate(network, site)[0] - 1
    return stage if stage >= 0 and network.graph.stages[stage].kind in NEURAL else None
