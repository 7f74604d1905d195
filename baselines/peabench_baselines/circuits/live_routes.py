"""Live routes: composition routes among what the weights leave alive and pass on, without running the network."""

import math
from copy import deepcopy

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.networks import ResidualMLP, Transformer
from peabench.networks.transformer import MLP, Attention
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.composition_score import compositions, reason_against_weights
from peabench_baselines.circuits.information_flow_routes import routes

LOW = 1.0
"""A unit's neuron is left out if its bias is further down than its weights' norm times this."""
LOW_IN_DEVIATIONS = 4.0
"""A transformer's neuron is left out if its bias is so many standard deviations of what it reads down."""
READ = 0.1
"""Square of how much readers take of a direction together, each at norm 1, from which it counts as read."""
LEAD = 8.0
"""A head is left out if position 0 leads its scores by this, and by the spectral norm of its scores' matrix."""


class LiveRoutes(Scorer[CircuitQuestion, CircuitAnswer]):
    """Routes as of `composition-routes`, among what the weights leave alive: neurons with very low biases and heads
    that attend to position 0 whatever they read are left out.

    In a transformer both ends of an edge are weighed: a node writes what the tokens' covariance, propagated linearly
    through the weights, brings it, as far as anybody reads there; a reader reads what it passes on towards the logits,
    propagated back the same way. So what heads write besides, where nobody reads, counts on neither side. The widest
    path is multiplied by the root of the edge's effect on the logits, as these two propagations give it.

    It knows how planted networks hide their circuits, and runs nothing: what it earns, the weights give away.

    Cost: no pass.
    """

    name = "live-routes"
    track = "circuits"
    version = "2"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021; routes as in arXiv:2403.00824

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        return reason_against_weights(question.network)

    @torch.no_grad()
    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """A widest path to the output for each edge; in a transformer times the root of its effect."""
        network = question.network
        if isinstance(network, ResidualMLP):
            found = routes(network, compositions(_without_low_neurons(network)))
        elif isinstance(network, Transformer):
            effects, shares = _effects(network)
            found = routes(network, shares) * effects.sqrt()
        else:
            raise TypeError(f"expected a residual MLP or a transformer, got {type(network).__name__}")
        reader, node = question.edge_indices.T
        return CircuitAnswer(found[reader, node])


def _without_low_neurons(network: ResidualMLP) -> ResidualMLP:
    kept = deepcopy(network)
    if network.config.activation == "bilinear":
        return kept  # no bias silences a product
    for number in range(network.config.n_blocks):
        block = kept.block(number)
        live = block.b_in > -LOW * block.w_in.norm(dim=1)
        block.w_in.mul_(live[:, None])
        block.w_out.mul_(live[..., None])
    return kept


def _effects(network: Transformer) -> tuple[Float[Tensor, "reader node"], Float[Tensor, "reader node"]]:
    """How far each node moves the logits through each reader, and that as a share of what both could do: a cosine.

    Of what a node writes only that counts which stands where any reader reads.
    """
    written = _written(network)
    read = _read(network, written)
    effects = torch.einsum("nij,rij->rn", written, read).clamp(min=0).sqrt() * network.graph.exists
    reads = read.diagonal(dim1=1, dim2=2).sum(1)
    writes = torch.einsum("nij,ij->n", written, _span(read / reads.clamp(min=1e-30)[:, None, None]))
    shares = effects / torch.outer(reads, writes).clamp(min=0).sqrt().clamp(min=1e-30)
    return effects.float(), shares.float()


def _span(read: Float[Tensor, "reader d_model d_model"]) -> Float[Tensor, "d_model d_model"]:
    """The projection onto the directions that readers of norm 1 read."""
    sizes, vectors = torch.linalg.eigh(read.sum(0))
    kept: Tensor = vectors[:, sizes > READ]
    return kept @ kept.T


def _written(network: Transformer) -> Float[Tensor, "node d_model d_model"]:
    """The covariance of what each node writes, over tokens drawn alike at every position."""
    tokens = (network.w_embed - network.w_embed.mean(0)).double()
    written = [(tokens.T @ tokens / len(tokens))[None]]
    for number in range(network.config.n_blocks):
        block, before = network.block(number), torch.cat(written).sum(0)
        awake = torch.tensor([not _sinks(network, number, head) for head in range(network.config.n_heads)])
        through = _through(block.attention) * awake[:, None, None]
        written.append(through.mT @ before @ through)
        if network.config.d_mlp:
            varies, live = _neurons(block.mlp, torch.cat(written).sum(0))
            out = block.mlp.w_out.double() * (varies * live)[:, None]
            written.append((out.T @ out)[None])
    return torch.cat(written)


def _read(
    network: Transformer, written: Float[Tensor, "node d_model d_model"]
) -> Float[Tensor, "reader d_model d_model"]:
    """R R^T of each reader's weights R, in units of what becomes of it at the logits, which have norm 1 together.

    Queries and keys are worth what the head writes, and are met by what tokens and positions vary by.
    """
    output = (network.w_output - network.w_output.mean(1, keepdim=True)).double()
    places = (network.w_position - network.w_position.mean(0)).double()
    wanted = output @ output.T / output.square().sum().clamp(min=1e-30)
    read, graph = [wanted[None]], network.graph
    for stage in reversed(graph.stages):
        block, before = network.block(stage.block), written[: stage.nodes.start].sum(0)
        if stage.kind == "mlp":
            worth = (block.mlp.w_out.double() @ wanted * block.mlp.w_out).sum(1) * _neurons(block.mlp, before)[1]
            found = ((block.mlp.w_in * worth) @ block.mlp.w_in.double().T)[None]
        else:
            here = written[stage.nodes.start : stage.nodes.stop]
            worth = (here * wanted).sum((1, 2)) / network.config.d_head
            awake = here.abs().amax((1, 2)) > 0
            through = _through(block.attention) * awake[:, None, None]
            query, key, _ = block.attention.w_qkv.double().unbind(1)
            scores, anything = query @ key.mT, before + places.T @ places / len(places)
            met = [scores @ anything @ scores.mT, scores.mT @ anything @ scores]
            ports = [*(gram * worth[:, None, None] for gram in met), through @ wanted @ through.mT]
            found = torch.stack(ports, 1).flatten(0, 1)
        read.insert(0, found)
        wanted = wanted + found.sum(0)
    return torch.cat(read)


def _through(attention: Attention) -> Float[Tensor, "head d_model d_model"]:
    return attention.w_qkv[:, 2].double() @ attention.w_o.double()


def _neurons(
    mlp: MLP, before: Float[Tensor, "d_model d_model"]
) -> tuple[Float[Tensor, " neuron"], Bool[Tensor, " neuron"]]:
    """By how much each neuron's input varies, and whether its bias leaves it alive."""
    w_in = mlp.w_in.double()
    varies = (w_in * (before @ w_in)).sum(0).clamp(min=0).sqrt()
    return varies, mlp.b_in > -LOW_IN_DEVIATIONS * varies


def _sinks(network: Transformer, block: int, head: int) -> bool:
    """Whether the last position attends to position 0, read off the weights at the mean token."""
    attention, scale = network.block(block).attention, 1 / math.sqrt(network.config.d_head)
    (query, key, _), (query_bias, key_bias, _) = attention.w_qkv[head], attention.b_qkv[head]
    places = network.w_position + network.w_embed.mean(0)
    scores = (places[-1] @ query + query_bias) @ (places @ key + key_bias).T * scale
    spectral = torch.linalg.matrix_norm(query @ key.T, 2) * scale
    return bool(scores[0] - scores[1:].max() > torch.clamp(spectral, min=LEAD))
