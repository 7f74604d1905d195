"""Weights in a form that gauges change in two ways alone: the order of parts, and the basis of the residual stream."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.networks.end_matrices import folding
from peabench.networks.transformer import Attention

Rotation = Float[Tensor, "d_model d_model"]


@dataclass(frozen=True)
class Layer:
    """Parts that compute side by side, neurons or heads: they may stand in any order."""

    kept: Float[Tensor, "part any"]
    """What no basis of the residual stream changes: biases of neurons."""
    vectors: Float[Tensor, "part vector d_model"]
    """Directions that are read or written."""
    forms: Float[Tensor, "part form d_model d_model"]
    """W_Q W_K^T and W_V W_O of heads."""

    def turned(self, rotation: Rotation) -> "Layer":
        """The same in the basis to which the rotation takes the residual stream (x becomes x R)."""
        return Layer(self.kept, self.vectors @ rotation, rotation.T @ self.forms @ rotation)

    def ordered(self, order: Int[Tensor, " part"]) -> "Layer":
        """Some of the parts, in the order asked for."""
        return Layer(self.kept[order], self.vectors[order], self.forms[order])

    @property
    def flat(self) -> Float[Tensor, "part weight"]:
        """All numbers of each part."""
        return torch.cat([numbers.flatten(1) for numbers in (self.kept, self.vectors, self.forms)], 1)


@dataclass(frozen=True)
class Weights:
    """A network's weights, each group of norm 1."""

    ends: Float[Tensor, "row d_model"]
    """Embeddings, constants that are added to the residual stream (biases of values among them), and the unembedding:
    rows in a fixed order.
    """
    layers: tuple[Layer, ...]

    def turned(self, rotation: Rotation) -> "Weights":
        """The same in another basis of the residual stream."""
        return Weights(self.ends @ rotation, tuple(layer.turned(rotation) for layer in self.layers))


def weights_of(network: Network) -> Weights:
    """The weights of a network; gains of norms are folded into what reads after them.

    Raises:
        TypeError: the weights of such a network are not known.
    """
    if isinstance(network, ResidualMLP):
        return _residual_mlp_weights(network)
    if isinstance(network, Transformer):
        return _transformer_weights(network)
    raise TypeError(f"expected a ResidualMLP or a Transformer, got {type(network).__name__}")


def _residual_mlp_weights(network: ResidualMLP) -> Weights:
    layers = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        w_in, b_in, w_out = block.w_in.transpose(0, 1).flatten(1), block.b_in.flatten(), block.w_out.flatten(0, 1)
        layers.append(_neurons(w_in, b_in, w_out, network.degree))
    return _normalised([network.w_embed, network.b_embed[None], network.w_output.T], layers)


def _transformer_weights(network: Transformer) -> Weights:
    ends: list[Tensor] = [network.w_embed, network.w_position]
    layers = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        layers.append(_heads(folding(block.norm_attention)(block.attention.w_qkv), block.attention))
        values = torch.einsum("he,hed->d", block.attention.b_qkv[:, 2], block.attention.w_o)
        ends.append((block.attention.b_o + values)[None])
        if network.config.d_mlp:
            w_in, degree = folding(block.norm_mlp)(block.mlp.w_in), int(network.config.activation == "relu")
            layers.append(_neurons(w_in, block.mlp.b_in, block.mlp.w_out, degree))
            ends.append(block.mlp.b_out[None])
    return _normalised([*ends, folding(network.norm_output)(network.w_output).T], layers)


def _neurons(
    w_in: Float[Tensor, "d_model neuron"],
    b_in: Float[Tensor, " neuron"],
    w_out: Float[Tensor, "neuron d_model"],
    degree: int,
) -> Layer:
    """Neurons of which f(c x) is c^degree f(x) are scaled to inputs and outputs of the same norm; degree 0: none is."""
    scale = torch.ones_like(b_in)
    if degree:
        inputs = torch.cat([w_in, b_in[None]]).norm(dim=0)
        scale = (w_out.norm(dim=1).clamp(min=1e-30) / inputs.clamp(min=1e-30)) ** (1 / (degree + 1))
    vectors = torch.stack([w_in.T * scale[:, None], w_out / scale[:, None] ** degree], 1)
    return Layer((b_in * scale)[:, None], vectors, vectors.new_zeros(len(vectors), 0, *w_in.shape[:1] * 2))


def _heads(w_qkv: Float[Tensor, "head 3 d_model d_head"], attention: Attention) -> Layer:
    """Products that no basis within a head changes.

    Of the biases that of the queries alone belongs to a head: that of the keys moves all scores of a query alike, and
    that of the values is a constant, as a head's attention sums to 1.
    """
    (q, k, v), b_q = w_qkv.unbind(1), attention.b_qkv[:, 0, :, None]
    return Layer(q.new_zeros(len(q), 0), (k @ b_q).mT, torch.stack([q @ k.mT, v @ attention.w_o], 1))


def _normalised(ends: Sequence[Float[Tensor, "row d_model"]], layers: Sequence[Layer]) -> Weights:
    rows = torch.cat(list(ends)).double()
    scaled = []
    for layer in layers:
        norm = layer.flat.double().norm().clamp(min=1e-30)
        scaled.append(Layer(*(numbers.double() / norm for numbers in (layer.kept, layer.vectors, layer.forms))))
    return Weights(rows / rows.norm().clamp(min=1e-30), tuple(scaled))
