"""Live routes: composition routes among what the weights leave alive, without running the network."""

import math
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.composition_score import compositions, reason_against_weights
from peabench_baselines.circuits.information_flow_routes import routes

LOW = 1.0
"""A unit's neuron is left out if its bias is further down than its weights' norm times this."""
LOW_IN_DEVIATIONS = 4.0
"""A transformer's neuron is left out if its bias is so many standard deviations of what it reads down."""
LEAD = 8.0
"""A head is left out if position 0 leads its scores by this, and by the spectral norm of its scores' matrix."""


class LiveRoutes(Scorer[CircuitQuestion, CircuitAnswer]):
    """Routes as of `composition-routes`, among what the weights leave alive: neurons with very low biases and heads
    that attend to position 0 whatever they read are left out, and a node writes no more than what the tokens'
    covariance, propagated linearly through the weights, brings it.

    It knows how planted networks hide their circuits, and runs nothing: what it earns, the weights give away.

    Cost: no pass.
    """

    name = "live-routes"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021; routes as in arXiv:2403.00824

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        return reason_against_weights(question.network)

    @torch.no_grad()
    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """A widest path to the output for each edge."""
        network = question.network
        if isinstance(network, ResidualMLP):
            found = compositions(_without_low_neurons(network))
        elif isinstance(network, Transformer):
            found = _live_compositions(network)
        else:
            raise TypeError(f"expected a residual MLP or a transformer, got {type(network).__name__}")
        reader, node = question.edge_indices.T
        return CircuitAnswer(routes(network, found)[reader, node])


def _without_low_neurons(network: ResidualMLP) -> ResidualMLP:
    kept = deepcopy(network)
    for number in range(network.config.n_blocks):
        block = kept.block(number)
        live = block.b_in > -LOW * block.w_in.norm(dim=1)
        block.w_in.mul_(live[:, None])
        block.w_out.mul_(live[..., None])
    return kept


def _live_compositions(network: Transformer) -> Float[Tensor, "reader node"]:
    """The composition of every edge, of what the node can vary by with what the reader reads."""
    tokens, places = (weight - weight.mean(0) for weight in (network.w_embed, network.w_position))
    written, read = [tokens / math.sqrt(len(tokens))], list[Tensor]()
    for number in range(network.config.n_blocks):
        block = network.block(number)
        covariance = _covariance(written)
        varies, anything = _root(covariance), _root(covariance + places.T @ places / len(places))
        heads = []
        for head, out in enumerate(block.attention.w_o):
            query, key, value = block.attention.w_qkv[head]
            read += [query @ (key.T @ anything), key @ (query.T @ anything), value @ out]
            heads.append(varies @ value @ out * (not _sinks(network, number, head)))
        written += heads
        if network.config.d_mlp:
            mlp = block.mlp
            deviation = (_root(_covariance(written)) @ mlp.w_in).norm(dim=0)
            live = mlp.b_in > -LOW_IN_DEVIATIONS * deviation
            read.append(mlp.w_in * mlp.w_out.norm(dim=1))
            written.append(mlp.w_out * (deviation * live)[:, None])
    read.append(network.w_output - network.w_output.mean(1, keepdim=True))
    found = torch.zeros(network.graph.exists.shape)
    for reader, node in network.graph.exists.nonzero().tolist():
        ends = written[node].norm() * read[reader].norm()
        found[reader, node] = (written[node] @ read[reader]).norm() / ends.clamp(min=1e-30)
    return found


def _covariance(written: list[Tensor]) -> Float[Tensor, "d_model d_model"]:
    return torch.stack([weight.T @ weight for weight in written]).sum(0)


def _root(covariance: Float[Tensor, "d_model d_model"]) -> Float[Tensor, "d_model d_model"]:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root


def _sinks(network: Network, block: int, head: int) -> bool:
    """Whether the last position attends to position 0, read off the weights at the mean token."""
    if not isinstance(network, Transformer):
        raise TypeError(f"expected a transformer, got {type(network).__name__}")
    attention, scale = network.block(block).attention, 1 / math.sqrt(network.config.d_head)
    (query, key, _), (query_bias, key_bias, _) = attention.w_qkv[head], attention.b_qkv[head]
    places = network.w_position + network.w_embed.mean(0)
    scores = (places[-1] @ query + query_bias) @ (places @ key + key_bias).T * scale
    spectral = torch.linalg.matrix_norm(query @ key.T, 2) * scale
    return bool(scores[0] - scores[1:].max() > torch.clamp(spectral, min=LEAD))
