"""Gauge: changes of the weights that leave the function as it is, and the matching change of a mechanism.

| symmetry | residual MLP | transformer |
|---|---|---|
| `neuron_permutation` | hidden neurons of each unit | hidden neurons of each MLP |
| `neuron_scaling` | each hidden neuron, or factor of a bilinear one, by a positive number | the same, with relu |
| `head_basis` | | any invertible change of basis between q and k, and between v and the output |
| `residual_rotation` | yes | without norms, and with rms norms once their gains are folded into what reads after them |

Parallel units, heads and inputs keep their order: it is part of their addresses. A layer norm subtracts the mean along
the all-ones direction, so with layer norms the residual stream is not rotated.
"""

import copy
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.cost import Meter
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism, SiteAddress, TensorReference
from peabench.networks.network import Network
from peabench.networks.residual_mlp import ResidualMLP
from peabench.networks.transformer import Norm, Transformer

NetworkT = TypeVar("NetworkT", bound=Network)
Rotation = Float[Tensor, "d_model d_model"]


@torch.no_grad()
def random_gauge(network: NetworkT, generator: torch.Generator) -> tuple[NetworkT, Rotation | None]:
    """A copy of a network with the same function and other weights, drawn over all of its symmetries.

    Returns:
        The copy, and the rotation R by which its residual stream differs (x becomes x R); None where there is none.
    """
    changed = copy.deepcopy(network)
    changed.meter = Meter(budget=network.meter.budget, inputs=network.meter.inputs)
    if isinstance(changed, ResidualMLP):
        return changed, _regauge_residual_mlp(changed, generator)
    if isinstance(changed, Transformer):
        return changed, _regauge_transformer(changed, generator)
    kind = type(network).__name__
    raise PeabenchError(f"expected a ResidualMLP or a Transformer, got a {kind}, whose gauge is not known.")


def regauge_mechanism(mechanism: Mechanism, rotation: Rotation) -> Mechanism:
    """The mechanism of a network whose residual stream was rotated: every basis Q becomes R^T Q, every direction
    and every read-out too.

    Raises:
        PeabenchError: a subspace lies among hidden neurons, which a gauge permutes without telling.
    """
    rotated: dict[str, Tensor] = {}
    places: list[tuple[str, TensorReference | None]] = [
        (location.site, location.basis) for alignment in mechanism.alignments for location in alignment.locations
    ]
    places += [(feature.site, feature.direction) for feature in mechanism.features]
    if mechanism.dormant_path is not None:
        places += [(mechanism.dormant_path.sites[0], reference) for _, reference in mechanism.dormant_path.places()]
    offsets: dict[str, Tensor] = {}
    for readout in mechanism.beliefs.readouts if mechanism.beliefs else ():
        places.append((readout.site, readout.matrix))
        offsets[readout.offset.name] = mechanism.tensor(readout.offset)
    for site, reference in places:
        if reference is None or SiteAddress.parse(site).hidden:
            raise PeabenchError(f"expected subspaces of the residual stream or of nodes' outputs, got one at {site}.")
        tensor = mechanism.tensor(reference).double()
        rotated[reference.name] = (rotation.double().T @ tensor).float()
    return mechanism.with_tensors(rotated | offsets)


def _regauge_residual_mlp(network: ResidualMLP, generator: torch.Generator) -> Rotation:
    rotation = _random_rotation(network.config.d_model, generator)
    network.w_embed.copy_(network.w_embed @ rotation)
    network.b_embed.copy_(network.b_embed @ rotation)
    for index in range(network.config.n_blocks):
        block = network.block(index)
        for w_in, b_in, w_out in zip(block.w_in, block.b_in, block.w_out, strict=True):
            w_in.copy_(rotation.T @ w_in)
            w_out.copy_(w_out @ rotation)
            if network.config.activation == "bilinear":
                _mix_products(w_in, b_in, w_out, generator)
            else:
                _mix_neurons(w_in, b_in, w_out, generator, degree=network.degree)
    network.w_output.copy_(rotation.T @ network.w_output)
    return rotation


def _regauge_transformer(network: Transformer, generator: torch.Generator) -> Rotation | None:
    config = network.config
    rotation = None if config.norm == "layer" else _random_rotation(config.d_model, generator)
    turn = torch.eye(config.d_model) if rotation is None else rotation
    network.w_embed.copy_(network.w_embed @ turn)
    network.w_position.copy_(network.w_position @ turn)
    for index in range(config.n_blocks):
        block = network.block(index)
        attention = block.attention
        attention.w_qkv.copy_(turn.T @ _unfolded(block.norm_attention, attention.w_qkv))
        attention.w_o.copy_(attention.w_o @ turn)
        attention.b_o.copy_(attention.b_o @ turn)
        for w_qkv, b_qkv, w_o in zip(attention.w_qkv, attention.b_qkv, attention.w_o, strict=True):
            _mix_head(w_qkv, b_qkv, w_o, generator)
        if config.d_mlp:
            mlp = block.mlp
            mlp.w_in.copy_(turn.T @ _unfolded(block.norm_mlp, mlp.w_in))
            mlp.w_out.copy_(mlp.w_out @ turn)
            mlp.b_out.copy_(mlp.b_out @ turn)
            _mix_neurons(mlp.w_in, mlp.b_in, mlp.w_out, generator, degree=int(config.activation == "relu"))
    network.w_output.copy_(turn.T @ _unfolded(network.norm_output, network.w_output))
    return rotation


def _unfolded(norm: Norm, weight: Float[Tensor, "*any d_model out"]) -> Float[Tensor, "*any d_model out"]:
    """The weight that reads after a norm, with an rms norm's gain moved into it (and set to 1 in the norm)."""
    if norm.kind != "rms":
        return weight
    folded = norm.gain[:, None] * weight
    norm.gain.fill_(1)
    return folded


def _mix_neurons(
    w_in: Float[Tensor, "d_model hidden"],
    b_in: Float[Tensor, " hidden"],
    w_out: Float[Tensor, "hidden d_model"],
    generator: torch.Generator,
    *,
    degree: int,
) -> None:
    """Put hidden neurons in another order and scale each of them, f(cx) being c^degree f(x); with degree 0 do not."""
    order = torch.randperm(len(b_in), generator=generator)
    factor = _random_scales(len(b_in), generator) if degree else torch.ones(len(b_in))
    w_in.copy_(w_in[:, order] * factor)
    b_in.copy_(b_in[order] * factor)
    w_out.copy_(w_out[order] / factor[:, None] ** degree)


def _mix_products(
    w_in: Float[Tensor, "d_model projected"],
    b_in: Float[Tensor, " projected"],
    w_out: Float[Tensor, "hidden d_model"],
    generator: torch.Generator,
) -> None:
    """Put bilinear neurons in another order, exchange the factors of some, and scale each factor."""
    count = len(w_out)
    order = torch.randperm(count, generator=generator)
    exchanged = torch.randint(2, (count,), generator=generator).bool()
    columns = torch.stack([order, order + count])
    columns = torch.where(exchanged, columns.flip(0), columns).flatten()
    factor = _random_scales(2 * count, generator)
    w_in.copy_(w_in[:, columns] * factor)
    b_in.copy_(b_in[columns] * factor)
    w_out.copy_(w_out[order] / (factor[:count] * factor[count:])[:, None])


def _mix_head(
    w_qkv: Float[Tensor, "3 d_model d_head"],
    b_qkv: Float[Tensor, "3 d_head"],
    w_o: Float[Tensor, "d_head d_model"],
    generator: torch.Generator,
) -> None:
    """Change the basis in which queries meet keys, and that in which values meet the output matrix."""
    d_head = w_o.shape[0]
    meeting, passing = (_random_rotation(d_head, generator) * _random_scales(d_head, generator) for _ in range(2))
    changes = torch.stack([meeting, torch.linalg.inv(meeting).T, passing])
    w_qkv.copy_(w_qkv @ changes)
    b_qkv.copy_((b_qkv[:, None] @ changes)[:, 0])
    w_o.copy_(torch.linalg.inv(passing) @ w_o)


def _random_rotation(size: int, generator: torch.Generator) -> Float[Tensor, "size size"]:
    """A uniformly random orthogonal matrix."""
    q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    rotation: Tensor = (q * r.diagonal().sign()).float()
    return rotation


def _random_scales(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """Positive numbers between 1/2 and 2, uniform in their logarithm."""
    return 2 ** (2 * torch.rand(count, generator=generator) - 1)
