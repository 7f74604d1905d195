"""Many small ReLU MLPs of one shape, trained at once on the same batches: families of seeds, probes, null networks.

What makes it fast: all parameters of a group are one flat vector, so that one fused Adam step serves all of them (its
gradient has the same flat layout: fused Adam is silently wrong where the strides of a parameter and its gradient
differ); the first layer of all networks is one wide product, as they read the same inputs; the backward pass is written
out, without the overhead of a graph; groups are small enough for their activations to stay in the caches; and each core
works on a group of its own, so that no product this small is split among threads that wait for one another.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peabench.errors import PeabenchError

Objective = Literal["mse", "logistic", "cross_entropy"]
"""Mean squared error; logistic loss on 0/1 targets; cross-entropy on one-hot (or soft) targets."""

Batches = Callable[[int], tuple[Float[Tensor, "row d_in"], Float[Tensor, "#network row d_out"]]]
"""From the number of a step to its inputs, shared by all networks, and targets, shared or of each network."""


def make_mlp(widths: Sequence[int], generator: torch.Generator | None = None) -> nn.Sequential:
    """Linear layers with ReLU between them, initialised as torch does; `widths` from input to output."""
    layers: list[nn.Module] = []
    for d_in, d_out in pairwise(widths):
        layer = nn.Linear(d_in, d_out)
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(d_in), 1 / math.sqrt(d_in), generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train_many(
    networks: Sequence[nn.Sequential],
    batches: Batches,
    *,
    steps: int,
    learning_rate: float,
    objective: Objective = "mse",
    group: int = 16,
    progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "step network"]:
    """Train networks from `make_mlp`, all of one shape, in place with Adam; equal to training one after another.

    Args:
        networks: their parameters are replaced by the trained ones.
        batches: called once for each step and group, from several threads at once: it must give the same batch for the
            same number, without a generator or a buffer that calls share.
        steps: optimiser steps.
        learning_rate: of Adam.
        objective: the loss.
        group: networks trained together.
        progress: called with the share done.

    Returns:
        Loss of every network at every step, before the step.

    Raises:
        PeabenchError: the networks are not of one shape.
    """
    widths = [_widths(network) for network in networks]
    if len({tuple(w) for w in widths}) > 1:
        raise PeabenchError(
            f"expected networks of one shape, got {sorted(map(tuple, widths))}; train them in separate calls"
        )
    groups = [networks[first : first + group] for first in range(0, len(networks), group)]
    work = partial(
        _train_group, widths=widths[0], batches=batches, steps=steps, rate=learning_rate, objective=objective
    )
    losses = []
    for trained in _on_each_core(work, groups):
        losses.append(trained)
        if progress is not None:
            progress(len(losses) / len(groups))
    return torch.cat(losses, 1)


def _on_each_core(
    work: Callable[[Sequence[nn.Sequential]], Tensor], groups: Sequence[Sequence[nn.Sequential]]
) -> Iterator[Tensor]:
    """Results in order; where there are several groups, each is worked on by a thread that has one core to itself."""
    threads = torch.get_num_threads()
    if min(threads, len(groups)) == 1:
        yield from map(work, groups)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(work, groups)
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _train_group(
    networks: Sequence[nn.Sequential],
    widths: list[int],
    batches: Batches,
    steps: int,
    rate: float,
    objective: Objective,
) -> Float[Tensor, "step network"]:
    count = len(networks)
    # Weights with their biases: the first layer is one wide matrix [network * neuron, d_in + 1], its bias being the
    # weight of an input that is always 1; later ones are [network, d_out, d_in] and [network, d_out, 1].
    shapes: list[tuple[int, ...]] = [(count * widths[1], widths[0] + 1)]
    for d_in, d_out in pairwise(widths[1:]):
        shapes += [(count, d_out, d_in), (count, d_out, 1)]
    sizes = [math.prod(shape) for shape in shapes]
    flat = next(networks[0].parameters()).new_empty(sum(sizes)).requires_grad_()
    flat.grad = torch.zeros_like(flat)
    wide, *later = [part.view(shape) for part, shape in zip(flat.detach().split(sizes), shapes, strict=True)]
    wide_gradient, *gradients = [part.view(shape) for part, shape in zip(flat.grad.split(sizes), shapes, strict=True)]
    _exchange(networks, [wide, *later], widths, load=True)
    optimiser = torch.optim.Adam([flat], lr=rate, fused=True)
    losses, spare = flat.new_empty(steps, count), list[Tensor]()
    for step in range(steps):
        inputs, targets = batches(step)
        inputs = F.pad(inputs, (0, 1), value=1.0)
        # Neurons lead and rows are contiguous, so that every product below is of whole matrices in place.
        if step == 0 or spare[0].shape[-1] != len(inputs):
            # Large arrays are written where the last step left them: new pages cost more than the arithmetic.
            spare = [flat.new_empty(2, count, width, len(inputs)) for width in widths[1:-1] or widths[1:]]
        hidden = [torch.mm(wide, inputs.T, out=spare[0][0].flatten(0, 1)).view(count, widths[1], -1)]
        for layer in range(0, len(later), 2):
            hidden.append(torch.baddbmm(later[layer + 1], later[layer], hidden[-1].relu_()))
        losses[step], gradient = _loss(objective, hidden.pop(), targets.transpose(1, 2))
        for layer in range(len(later) - 2, -1, -2):
            below = hidden.pop()
            torch.bmm(gradient, below.transpose(1, 2), out=gradients[layer])
            torch.sum(gradient, 2, keepdim=True, out=gradients[layer + 1])
            back = later[layer].transpose(1, 2)
            room = spare[layer // 2][1]
            torch.mul(back, gradient, out=room) if back.shape[2] == 1 else torch.bmm(back, gradient, out=room)
            gradient = torch.ops.aten.threshold_backward.grad_input(room, below, 0, grad_input=room)
        torch.mm(gradient.flatten(0, 1), inputs, out=wide_gradient)
        optimiser.step()
    _exchange(networks, [wide, *later], widths, load=False)
    return losses


def _loss(
    objective: Objective, outputs: Float[Tensor, "network d_out row"], targets: Float[Tensor, "#network d_out row"]
) -> tuple[Float[Tensor, " network"], Float[Tensor, "network d_out row"]]:
    """Loss of each network and its gradient by the outputs."""
    width, rows = outputs.shape[1:]
    if objective == "mse":
        error = outputs - targets
        return error.square().mean((1, 2)), error * (2 / (rows * width))
    if objective == "logistic":
        loss = F.softplus(outputs) - outputs * targets
        return loss.mean((1, 2)), (outputs.sigmoid() - targets) / (rows * width)
    log_probabilities = outputs.log_softmax(1)
    return -(log_probabilities * targets).sum(1).mean(1), (log_probabilities.exp() - targets) / rows


def _exchange(networks: Sequence[nn.Sequential], parameters: list[Tensor], widths: list[int], *, load: bool) -> None:
    """Copy the networks' weights into the flat parameters, or back."""
    wide = parameters[0].view(len(networks), widths[1], widths[0] + 1)
    for number, network in enumerate(networks):
        layers = [layer for layer in network if isinstance(layer, nn.Linear)]
        ours = [wide[number, :, :-1], wide[number, :, -1]]
        for weight, bias in zip(parameters[1::2], parameters[2::2], strict=True):
            ours += [weight[number], bias[number, :, 0]]
        theirs = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
        for one, other in zip(ours, theirs, strict=True):
            one.copy_(other) if load else other.copy_(one)


def _widths(network: nn.Sequential) -> list[int]:
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    return [linear[0].in_features, *(layer.out_features for layer in linear)]
