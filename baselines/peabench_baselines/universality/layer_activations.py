"""What networks hold on the same inputs, layer by layer, and which layers are compared with which."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.interventions.activations import positions_of
from peabench.networks import Network


def layer_activations(network: Network, inputs: Int[Tensor, "row column"]) -> list[Float[Tensor, "row feature"]]:
    """The residual stream after each stage (attention, MLP or units): one row per input.

    A row is the stream at all positions that can still reach the output at the last one, side by side.
    """
    last = positions_of(network, inputs) - 1
    run = run_with_cache(network, inputs, look=(last,))
    return [resid.transpose(0, 1).flatten(1).double() for resid in run.resid[1:]]


def at_equal_depth(
    networks: Sequence[Sequence[Float[Tensor, "row feature"]]],
) -> Iterator[Float[Tensor, "network row feature"]]:
    """Layers of all networks at each relative depth; narrower ones get features of 0, which no measure here sees.

    There are as many depths as the deepest network has layers. Of a network with n layers, depth i of m (from 1) takes
    layer ceil(i n / m): the first that is at least as deep.
    """
    depths = max(map(len, networks))
    for depth in range(1, depths + 1):
        layers = [layers[-(-depth * len(layers) // depths) - 1] for layers in networks]
        width = max(layer.shape[1] for layer in layers)
        yield torch.stack([torch.nn.functional.pad(layer, (0, width - layer.shape[1])) for layer in layers])
