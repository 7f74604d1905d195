"""Distributed alignment search: a subspace trained by gradient so that interchanging it gives the counterfactual."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.interventions.activations import Activations, frozen, needed_positions, pick_examples
from peabench.interventions.chunks import Progress
from peabench.interventions.readout import Readout
from peabench.interventions.replay import Replay
from peabench.interventions.sites import locate, values_at
from peabench.networks import Network

Loss = Callable[[Float[Tensor, "seed batch position output"], Int[Tensor, " batch"]], Float[Tensor, " seed"]]
"""From counterfactual logits and the numbers of the rows they are for to one loss per seed."""
RowsLoss = Callable[
    [Float[Tensor, "seed batch position output"], slice | Int[Tensor, " batch"]], Float[Tensor, " seed"]
]


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

    The network's parameters get no gradient. The site is as for `interchange`; each target is the class wanted at the
    last position, or 0/1 for a single logit; `start` holds initial weights for each seed. Every step of Adam takes
    `batch_size` rows: drawn by the generator, or in turn without one. A loss stands in for the cross-entropy with the
    targets; it is given logits at the positions that the base run looks at.

    Raises:
        PeabenchError: the network has no such site, it cannot reach the output at the last position, or a run was cut
            to other positions than the loss looks at.
    """
    stage, node, where = locate(network, site)
    length = len(base.embedded)
    look = base.look if loss is not None else (length - 1,)
    base.require(look)
    source.require(look)
    wanted = _cross_entropy(targets) if loss is None else _of_row_numbers(loss, base.inputs.device)
    live = [p for p in range(length)[where] if p in needed_positions(network, look, length)[stage]]
    if not live:
        raise PeabenchError(f"expected a site that can reach the output at position {length - 1}, got {site!r}")
    rows = tuple((0, p) for p in live)
    with torch.no_grad(), frozen(network):
        change = values_at(source, stage, node, live) - values_at(base, stage, node, live)
        run = base.look_at(look)
        readout, steps_up, resid = Readout(run, None), Replay(run).path(stage, rows), run.at(stage, live)
    weights = start.detach().clone().contiguous().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=learning_rate, fused=True)
    losses = []
    count = targets.shape[0]
    with torch.enable_grad(), frozen(network):
        for step in range(steps):
            index = _batch(step, batch_size, count, generator, resid.device)
            bases = orthonormal(weights)
            moved = pick_examples(change, index)[:, None] @ bases @ bases.transpose(-1, -2)
            x = pick_examples(resid, index)[:, None] + moved
            for stage_step in steps_up:
                x = stage_step.select(index)(x)
            logits = readout.select(index)(steps_up[-1].rows if steps_up else rows, x, labels=[0])[0]
            per_seed = wanted(logits, index)
            (gradient,) = torch.autograd.grad(per_seed.sum(), weights)
            weights.grad = gradient.contiguous()  # fused Adam is silently wrong where the strides of the two differ
            optimiser.step()
            losses.append(per_seed.detach())
            if progress is not None:
                progress((step + 1) / steps)
    return DASResult(orthonormal(weights.detach()), torch.stack(losses))


def _batch(
    step: int, size: int, count: int, generator: torch.Generator | None, device: torch.device
) -> slice | Int[Tensor, " example"]:
    """Numbers of the rows of a step: drawn, or in turn, and then a slice (which copies nothing) where none wraps."""
    if generator is not None:
        return torch.randint(0, count, (size,), generator=generator, device=generator.device)
    first = step * size % count
    if first + size <= count:
        return slice(first, first + size)
    return torch.arange(first, first + size, device=device) % count


def orthonormal(weights: Float[Tensor, "seed d_model k"]) -> Float[Tensor, "seed d_model k"]:
    """Orthonormal columns that span the same subspaces: Q of a QR decomposition, for one column its direction."""
    if weights.shape[-1] == 1:
        return torch.nn.functional.normalize(weights, dim=1)
    basis: Tensor = torch.linalg.qr(weights).Q
    return basis


def _of_row_numbers(loss: Loss, device: torch.device) -> RowsLoss:
    """A loss that is given numbers also where the rows are a slice."""

    def numbered(logits: Tensor, index: slice | Tensor) -> Tensor:
        return loss(logits, torch.arange(index.start, index.stop, device=device) if isinstance(index, slice) else index)

    return numbered


def _cross_entropy(targets: Int[Tensor, " row"]) -> RowsLoss:
    targets = targets.clone() if targets.is_inference() else targets  # autograd takes no part of an inference tensor

    def loss(logits: Tensor, index: slice | Tensor) -> Tensor:
        last = logits[:, :, -1]
        wanted = targets[index].expand(last.shape[:2])
        if last.shape[-1] == 1:
            return F.binary_cross_entropy_with_logits(last[..., 0], wanted.to(last.dtype), reduction="none").mean(1)
        losses = F.cross_entropy(last.flatten(0, 1), wanted.flatten(), reduction="none")
        return losses.view(wanted.shape).mean(1)

    return loss
