"""Distributed alignment search: a subspace trained by gradient so that interchanging it gives the counterfactual."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import Activations
from peabench.interventions.chunks import Progress
from peabench.interventions.sites import interchange
from peabench.networks import Network

Loss = Callable[[Float[Tensor, "seed batch position output"], Int[Tensor, " batch"]], Float[Tensor, " seed"]]
"""From counterfactual logits and the numbers of the rows they are for to one loss per seed."""


@dataclass(frozen=True)
class DASResult:
    """Trained subspaces of one site."""

    bases: Float[Tensor, "seed d_model k"]
    """Orthonormal columns."""
    losses: Float[Tensor, "step seed"]


def train_das(
    network: Network,
    base: Activations,
    source: Activations,
    site: str,
    targets: Int[Tensor, " row"],
    *,
    start: Float[Tensor, "seed d_model k"],
    steps: int = 300,
    batch_size: int = 128,
    learning_rate: float = 1e-2,
    generator: torch.Generator | None = None,
    loss: Loss | None = None,
    progress: Progress | None = None,
) -> DASResult:
    """Train subspaces so that interchanging them turns the network's output into the targets (arXiv:2303.02536).

    The basis is the Q of a QR decomposition of free weights; only the part of the network above the site runs, on
    activations that are kept from the one run that made `base` and `source`. Seeds are trained at once.

    Args:
        network: the network; its parameters get no gradient.
        base: activations of the base inputs.
        source: activations of the source inputs, row for row.
        site: residual or node site, as for `interchange`.
        targets: counterfactual output of each row: a class at the last position, or 0/1 for a single logit.
        start: initial weights of each seed; the last axis is the subspace's dimension.
        steps: optimiser steps (Adam).
        batch_size: rows of each step.
        learning_rate: of Adam.
        generator: draws each step's rows; None takes the rows in turn.
        loss: in place of the cross-entropy with the targets.
        progress: called with the share done.
    """
    loss = loss or _cross_entropy(targets)
    weights = start.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=learning_rate, fused=True)
    losses = []
    rows = targets.shape[0]
    with torch.enable_grad():
        for step in range(steps):
            if generator is None:
                index = torch.arange(step * batch_size, (step + 1) * batch_size) % rows
            else:
                index = torch.randint(0, rows, (batch_size,), generator=generator)
            bases = torch.linalg.qr(weights).Q
            logits = interchange(network, base.select(index), source.select(index), site, bases)
            per_seed = loss(logits, index)
            optimiser.zero_grad()
            per_seed.sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(per_seed.detach())
            if progress is not None:
                progress((step + 1) / steps)
    return DASResult(torch.linalg.qr(weights.detach()).Q, torch.stack(losses))


def _cross_entropy(targets: Int[Tensor, " row"]) -> Loss:
    def loss(logits: Tensor, index: Tensor) -> Tensor:
        last, wanted = logits[:, :, -1], targets[index]
        if last.shape[-1] == 1:
            labels = wanted.to(last.dtype).expand(last.shape[:2])
            return F.binary_cross_entropy_with_logits(last[..., 0], labels, reduction="none").mean(1)
        return F.cross_entropy(last.transpose(1, 2), wanted.expand(last.shape[:2]), reduction="none").mean(1)

    return loss
