"""Functions on the integers modulo n in terms of frequencies, and what these say of a network that adds or subtracts.

Frequency k stands for cos(2 pi k x / n) and sin(2 pi k x / n); k and n - k are the same, so it runs from 1 to n // 2.
A *grid* is what a network computes on all pairs (first, second) of integers modulo n.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.networks import Network

Form = Literal["clock", "pizza"]
"""What the closed form of the logits is a sum of: alpha_k cos(w_k (s - c)) for output c and true sum s; or the same
times |cos(w_k d / 2)|, d the distance of the two numbers (Zhong et al., arXiv:2306.17844)."""

LogitGrid = Float[Tensor, "first second output"]
IntegerGrid = Int[Tensor, "first second"]


def all_pairs(modulus: int) -> Int[Tensor, "pair 2"]:
    """All pairs of integers modulo n, the second one running fastest: a grid, flattened."""
    return torch.cartesian_prod(torch.arange(modulus), torch.arange(modulus))


def sums(modulus: int, sign: int) -> IntegerGrid:
    """First + second modulo n, or first - second where the sign is -1."""
    numbers = torch.arange(modulus)
    return (numbers[:, None] + sign * numbers) % modulus


def kept(values: Float[Tensor, "first second *any"], frequencies: Iterable[int]) -> Float[Tensor, "first second *any"]:
    """The part of a grid that is made of its mean and some frequencies, along either axis.

    >>> grid = torch.cos(2 * torch.pi * torch.arange(5.0) / 5).expand(5, 5)
    >>> [round(float(kept(grid, some).norm() / grid.norm()), 3) for some in ([1], [2])]
    [1.0, 0.0]
    """
    mask = torch.zeros(len(values))
    mask[0] = 1
    for frequency in frequencies:
        mask[[frequency, -frequency]] = 1
    both = (mask[:, None] * mask).view(*values.shape[:2], *[1] * (values.dim() - 2))
    part: Tensor = torch.fft.ifft2(torch.fft.fft2(values, dim=(0, 1)) * both, dim=(0, 1)).real
    return part


def embedded(network: Network, modulus: int) -> Float[Tensor, "first second node position d_model"]:
    """What the embedding nodes write on all pairs."""
    written: Tensor = network.embedding_nodes(all_pairs(modulus)).movedim(0, 1).unflatten(0, (modulus, modulus))
    return written


def logits_after(network: Network, nodes: Float[Tensor, "first second node position d_model"]) -> LogitGrid:
    """Logits at the last position when the embedding nodes write this."""
    resid = network.start(nodes.flatten(0, 1).movedim(1, 0))
    for stage in range(len(network.graph.stages)):
        resid = network.stage_sum(stage, resid)
    logits: Tensor = network.unembed(resid[:, -1]).unflatten(0, nodes.shape[:2])
    return logits


def distance_irrelevance(logits: LogitGrid, sign: int = 1) -> float:
    """How little the correct logit depends on the distance of the two numbers: 0 to about 1 (Zhong et al., eq. 7).

    The spread of the correct logit over pairs of one distance, averaged over distances, by its spread over all pairs.
    1 where it does not vary at all.
    """
    correct = logits.gather(-1, sums(len(logits), sign)[..., None])[..., 0].double()
    distance = sums(len(logits), -sign)
    order = distance.flatten().argsort(stable=True)
    by_distance = correct.flatten()[order].view(correct.shape)
    spread = correct.std()
    return 1.0 if spread == 0 else float(by_distance.std(1).mean() / spread)


def gradient_symmetricity(network: Network, modulus: int) -> float:
    """Mean cosine of a logit's gradients by the two numbers' embeddings, over all pairs and outputs (eq. 8).

    For networks with a position for each number, whose embeddings share a table.
    """
    with torch.inference_mode(False), torch.enable_grad():
        nodes = embedded(network, modulus).detach().clone().requires_grad_()
        logits = logits_after(network, nodes)
        total = 0.0
        for output in range(modulus):
            (gradient,) = torch.autograd.grad(logits[..., output].sum(), nodes, retain_graph=True)
            first, second = gradient[:, :, 0].unbind(2)
            total += float(torch.cosine_similarity(first, second, dim=-1).mean())
    return total / modulus


def closed_form(modulus: int, frequencies: Sequence[int], form: Form, sign: int) -> Float[Tensor, "frequency *grid"]:
    """The terms of a closed form with all amplitudes 1: [frequency, first, second, output]."""
    angle = 2 * math.pi * torch.tensor(frequencies, dtype=torch.float64).view(-1, 1, 1, 1) / modulus
    terms: Tensor = torch.cos(angle * (sums(modulus, sign)[..., None] - torch.arange(modulus)))
    if form == "pizza":
        terms = terms * torch.cos(angle * sums(modulus, -sign)[..., None] / 2).abs()
    return terms


def explained(logits: LogitGrid, terms: Float[Tensor, "frequency first second output"]) -> tuple[list[float], float]:
    """Amplitudes of terms that fit logits best, and the share of the logits' variance that they explain.

    Logits are taken without their mean over outputs, of which no probability depends.
    """
    target = (logits.double() - logits.double().mean(-1, keepdim=True)).flatten()
    flat = terms - terms.mean(-1, keepdim=True)
    flat = flat.flatten(1)
    amplitudes = torch.linalg.solve(flat @ flat.T, flat @ target)
    residual = target - amplitudes @ flat
    return amplitudes.tolist(), float(1 - residual.square().sum() / target.square().sum())


def single_frequency_share(
    hidden: Float[Tensor, "first second neuron"], frequencies: Sequence[int]
) -> Float[Tensor, "frequency neuron"]:
    """Share of each neuron's variance over the grid that one frequency explains, along either axis or both."""
    power = torch.fft.fft2(hidden.double(), dim=(0, 1)).abs().square()
    power[0, 0] = 0
    total = power.sum((0, 1)).clamp(min=torch.finfo(power.dtype).tiny)
    shares = []
    for frequency in frequencies:
        rows = sorted({0, frequency, len(hidden) - frequency})
        shares.append(power[rows][:, rows].sum((0, 1)) / total)
    return torch.stack(shares)
